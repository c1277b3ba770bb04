import { type ChildProcess, fork } from "node:child_process";
import type { Socket } from "node:net";
import type { WorkerEnd } from "@evenkeel/admin";
import { LineRelay } from "../log/line-relay.ts";
import { afterArrived } from "./after-arrived.ts";
import { workerLimits } from "./limits.ts";
import type { PrimaryMessage, Question } from "./primary-messages.ts";
import { type Held, parseWorkerMessage, type WorkerMessage } from "./worker-messages.ts";

/** Where the lines that workers print go: the access log on stdout, their other lines on stderr. */
export interface WorkerOutput {
  readonly stdout: (lines: string) => void;
  readonly stderr: (lines: string) => void;
}

export interface WorkerProcessOptions {
  /** The file of the command. */
  readonly entry: string;
  /** Its number, 1 to N. */
  readonly number: number;
  /** Its id as a participant. */
  readonly id: string;
  readonly output: WorkerOutput;
  readonly onMessage: (worker: WorkerProcess, message: WorkerMessage) => void;
  /** It has ended, and everything that it has sent has been read. */
  readonly onEnded: (worker: WorkerProcess) => void;
}

/** How a process has ended. */
export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A worker, seen from the primary. */
export class WorkerProcess {
  readonly id: string;
  readonly number: number;
  readonly startedAt: number = performance.now();
  state: "starting" | "ready" | "draining" | "ended" = "starting";
  /** What it has last reported. */
  held: Held = { connections: 0, requests: 0, tunnels: 0 };
  /** It was killed since it is not needed any more. */
  dismissed = false;
  /** Why it could not start. */
  failure: string | undefined;
  /** How it has ended. */
  end: ProcessEnd = { code: null, signal: null };
  /** The id of the last connection that was sent to it before the last ping. */
  sentBeforePing = 0;
  readonly ended: Promise<void>;
  readonly #options: WorkerProcessOptions;
  readonly #child: ChildProcess;
  readonly #replies = new Map<number, (reply: WorkerMessage | undefined) => void>();
  #killedFor: WorkerEnd | undefined;
  #lastQuestion = 0;
  #lastSocketId = 0;
  #unsent = 0;
  #onEnd: () => void = () => {};

  constructor(options: WorkerProcessOptions) {
    this.#options = options;
    this.id = options.id;
    this.number = options.number;
    this.ended = new Promise((resolve) => {
      this.#onEnd = resolve;
    });
    this.#child = fork(options.entry, ["worker"], {
      execArgv: process.execArgv.filter((text) => !text.startsWith("--inspect")),
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    for (const name of ["stdout", "stderr"] as const) {
      const relay = new LineRelay(options.output[name]);
      this.#child[name]?.on("data", (chunk: Buffer) => relay.push(chunk)).on("close", () => relay.end());
    }
    this.#child
      .on("message", (message) => this.#onMessage(message))
      // The process could not be started, or a message could not be sent.
      .on("error", (error) => this.#onError(error))
      // After the channel and the output have been read to their ends.
      .on("close", (code, signal) => this.#onClose({ code, signal }));
  }

  /** Undefined if the process could not be started. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Why it has ended. */
  get reason(): WorkerEnd {
    return this.#killedFor ?? (this.end.signal === null ? "exited" : "killed");
  }

  /** Says how it has ended, and what it held. */
  describeEnd(): string {
    const { number, pid, held, failure } = this;
    const why = failure === undefined ? "" : `: ${failure}`;
    if (pid === undefined) return `worker ${number} cannot be started${why}`;
    const how = {
      exited: `has ended with code ${this.end.code}`,
      killed: `was killed by ${this.end.signal}`,
      stalled: "has stalled and was killed",
      unconfirmed: "has not confirmed a change in time and was killed",
    }[this.reason];
    const { connections, requests, tunnels } = held;
    const lost =
      connections === 0 ? "" : `, with ${connections} connections (${requests} requests, ${tunnels} tunnels)`;
    return `worker ${number} (pid ${pid}) ${how}${why}${lost}`;
  }

  /** A worker that does not read its messages is killed before they fill the memory. */
  send(message: PrimaryMessage, socket?: Socket): void {
    if (this.state === "ended" || !this.#child.connected) return;
    if (++this.#unsent > workerLimits.unsentMessages) return this.kill("stalled");
    const done = () => void this.#unsent--;
    if (message.type === "connection") this.#lastSocketId = message.id;
    if (socket === undefined) this.#child.send(message, done);
    else this.#child.send(message, socket, { keepOpen: true }, done);
  }

  /** Resolves with the reply; with undefined if the worker ends, or does not reply in time. */
  async ask(message: WithoutNumber<Question>, timeoutMs: number): Promise<WorkerMessage | undefined> {
    const n = ++this.#lastQuestion;
    let timer: NodeJS.Timeout | undefined;
    const reply = new Promise<WorkerMessage | undefined>((resolve) => {
      this.#replies.set(n, resolve);
      timer = setTimeout(() => afterArrived(() => resolve(undefined)), timeoutMs);
      if (this.state === "ended") resolve(undefined);
    });
    this.send({ ...message, n } as Question);
    try {
      return await reply;
    } finally {
      clearTimeout(timer);
      this.#replies.delete(n);
    }
  }

  /** The reply shows that everything sent before has been read. */
  ping(): void {
    this.sentBeforePing = this.#lastSocketId;
    this.send({ type: "ping", n: 0 });
  }

  /** Has it finish what it serves and end. One that does not serve yet ends at once. */
  drain(timeoutMs: number): void {
    if (this.state !== "ready") return;
    this.state = "draining";
    this.send({ type: "drain", timeoutMs });
  }

  /** Kills it at once. `why` counts as the reason of its end. */
  kill(why: WorkerEnd): void {
    this.#killedFor ??= why;
    this.#child.kill("SIGKILL");
  }

  dismiss(): void {
    this.dismissed = true;
    this.kill("killed");
  }

  #onMessage(value: unknown): void {
    const message = parseWorkerMessage(value);
    if (message === undefined) return;
    if (message.type === "pong") this.held = message.held;
    if ("connections" in message) this.held = { ...this.held, connections: message.connections };
    if ("n" in message) this.#replies.get(message.n)?.(message);
    this.#options.onMessage(this, message);
  }

  #onError(error: Error): void {
    if (this.#child.pid !== undefined) return;
    this.failure = error.message;
    this.#onClose({ code: null, signal: null });
  }

  #onClose(end: ProcessEnd): void {
    if (this.state === "ended") return;
    this.state = "ended";
    this.end = end;
    for (const resolve of this.#replies.values()) resolve(undefined);
    this.#onEnd();
    this.#options.onEnded(this);
  }
}

/** For each type of a union by itself. */
export type WithoutNumber<Message> = Message extends unknown ? Omit<Message, "n"> : never;
