import type { ChildProcess } from "node:child_process";
import { Server } from "node:net";
import type { ListeningHandle } from "evenkeel/server";
import { Failure, messageOf } from "../failure.ts";
import { limits } from "../limits.ts";
import {
  type OperatorIntent,
  type PredecessorMessage,
  type ProcessCounts,
  parseSuccessorMessage,
  type SharedDescriptor,
  type SocketUse,
  type SuccessorMessage,
  toWire,
} from "./protocol.ts";

/** A listening socket that the successor gets. */
export interface SharedSocket {
  readonly use: SocketUse;
  /** As in the configuration, formatted. */
  readonly address: string;
  readonly socket: ListeningHandle["socket"];
}

/** The process that is replaced, as its successor needs it. */
export interface SuccessorHost {
  readonly version: string;
  /** The addresses of the clients' listeners, formatted. */
  readonly listen: readonly string[];
  /** That of the admin API. */
  readonly admin: string | undefined;
  readonly intent: () => Promise<readonly OperatorIntent[]>;
  readonly sockets: () => readonly SharedSocket[];
  /** Ends the requests in flight, when the successor has requested it. */
  readonly end: () => void;
}

/** The first descriptor of a child process behind the standard streams and the channel. */
const firstDescriptor = 4;

/** The part of a child process that is used. */
export type SuccessorChild = Pick<ChildProcess, "pid" | "connected" | "kill" | "on" | "once" | "send">;

/**
 * The process that replaces this one, from its start on. Until `ready` resolves nothing has changed in this process; if it
 * rejects, the other process is killed, and nothing changes.
 */
export class Successor {
  /** Resolves once the successor accepts connections. Rejects with a `Failure` that has the reason. */
  readonly ready: Promise<void>;
  readonly #child: SuccessorChild;
  readonly #host: SuccessorHost;
  readonly #timer: NodeJS.Timeout;
  #resolve: () => void = () => {};
  #reject: (reason: Failure) => void = () => {};
  #state: "starting" | "ready" | "failed" = "starting";
  /** The reason that the successor has sent before its end. */
  #reason: string | undefined;
  /** A message with counts is on its way. */
  #sending = false;

  constructor(child: SuccessorChild, host: SuccessorHost) {
    this.#child = child;
    this.#host = host;
    this.ready = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    const seconds = limits.restartMs / 1_000;
    this.#timer = setTimeout(() => this.fail(`it was not ready within ${seconds} s`), limits.restartMs).unref();
    child.on("message", (message) => this.#onMessage(message));
    child.once("error", (error) => this.fail(`it could not be started: ${error.message}`));
    child.once("exit", (code, signal) => this.#onExit(code, signal));
  }

  /** The process id; undefined if the process could not be started. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Ends the successor, unless it is ready. */
  fail(reason: string): void {
    if (this.#state !== "starting") return;
    this.#state = "failed";
    clearTimeout(this.#timer);
    this.#child.kill("SIGKILL");
    this.#reject(new Failure(reason));
  }

  /** This process accepts no connection any more: the successor gets its counts and the final intent. */
  draining(rest: { readonly intent: readonly OperatorIntent[]; readonly reload: boolean } & ProcessCounts): void {
    this.#send({ type: "draining", ...rest });
  }

  /** Replaces the counts that the successor adds to its own. Skips them while earlier ones are on their way. */
  count(counts: ProcessCounts): void {
    if (this.#sending) return;
    this.#sending = true;
    this.#send({ type: "counts", ...counts }, () => {
      this.#sending = false;
    });
  }

  /** Resolves when the last counts are on their way, or cannot be sent. */
  lastCount(counts: ProcessCounts): Promise<void> {
    return new Promise((resolve) => this.#send({ type: "counts", ...counts }, resolve));
  }

  #onMessage(value: unknown): void {
    let message: SuccessorMessage | undefined;
    try {
      message = parseSuccessorMessage(value);
    } catch (error) {
      return this.fail(messageOf(error));
    }
    if (message !== undefined) this.#onParsed(message);
  }

  #onParsed(message: SuccessorMessage): void {
    if (message.type === "end") return this.#host.end();
    if (this.#state !== "starting") return;
    if (message.type === "failed") this.#reason = message.message;
    else if (message.type === "hello") void this.#welcome();
    else if (message.type === "sockets") this.#sendSockets();
    else this.#becomeReady();
  }

  async #welcome(): Promise<void> {
    const { version, listen, admin, intent } = this.#host;
    // In the order in which the child has got them.
    const descriptors = sharedDescriptors(this.#host).map(({ use, address }, index) => ({
      use,
      address,
      fd: firstDescriptor + index,
    }));
    this.#send({ type: "welcome", version, listen, admin, descriptors, intent: await intent() });
  }

  #sendSockets(): void {
    for (const { use, address, socket } of this.#host.sockets()) {
      if (!(socket instanceof Server)) continue;
      const message = toWire({ type: "socket", use, address });
      this.#child.send(message, socket, (error) => {
        if (error) this.fail(`the socket of ${address} could not be passed on: ${error.message}`);
      });
    }
    this.#send({ type: "sent" });
  }

  #becomeReady(): void {
    this.#state = "ready";
    clearTimeout(this.#timer);
    this.#resolve();
  }

  /** Its last messages may come after its end. */
  #onExit(code: number | null, signal: NodeJS.Signals | null): void {
    const conclude = () =>
      this.fail(this.#reason ?? `it ended ${signal === null ? `with code ${code}` : `by ${signal}`}`);
    if (this.#child.connected) this.#child.once("disconnect", conclude);
    else conclude();
  }

  #send(message: PredecessorMessage, done: () => void = () => {}): void {
    if (!this.#child.connected) return done();
    // An error means that the other process has ended.
    this.#child.send(toWire(message), () => done());
  }
}

/** The sockets of a host that no message can carry: a child gets their descriptors at its start. */
export function sharedDescriptors(host: SuccessorHost): readonly SharedDescriptor[] {
  return host.sockets().flatMap(({ use, address, socket }) => ("fd" in socket ? { use, address, fd: socket.fd } : []));
}
