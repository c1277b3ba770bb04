import { Server } from "node:net";
import { Failure, messageOf } from "../failure.ts";
import {
  type PredecessorMessage,
  type ProcessCounts,
  ProtocolMismatch,
  parsePredecessorMessage,
  protocol,
  protocolVariable,
  type SocketUse,
  type SuccessorMessage,
  toWire,
} from "./protocol.ts";

/** The channel to the process that has started this one. */
export interface PredecessorChannel {
  readonly connected: boolean;
  send(message: object, done: (error: Error | null) => void): void;
  on(event: "message", listener: (message: unknown, handle: unknown) => void): void;
  on(event: "disconnect", listener: () => void): void;
}

export type Welcome = Extract<PredecessorMessage, { readonly type: "welcome" }>;
export type Draining = Extract<PredecessorMessage, { readonly type: "draining" }>;

/** The process that this one replaces. It may end at any moment: what it should have sent is undefined then. */
export class Predecessor {
  readonly welcome: Promise<Welcome | undefined>;
  /** The predecessor accepts no connection any more. */
  readonly draining: Promise<Draining | undefined>;
  readonly ended: Promise<void>;
  readonly #channel: PredecessorChannel;
  readonly #welcomed: PromiseWithRejection<Welcome | undefined> = withRejection();
  readonly #drains: PromiseWithRejection<Draining | undefined> = withRejection();
  readonly #end: PromiseWithRejection<void> = withRejection();
  readonly #sent: PromiseWithRejection<void> = withRejection();
  #onSocket: (use: SocketUse, address: string, socket: Server) => void = () => {};
  #onCounts: (counts: ProcessCounts) => void = () => {};

  constructor(channel: PredecessorChannel) {
    this.#channel = channel;
    this.welcome = this.#welcomed.promise;
    this.draining = this.#drains.promise;
    this.ended = this.#end.promise;
    channel.on("message", (message, handle) => this.#onMessage(message, handle));
    channel.on("disconnect", () => this.#onEnd());
    if (!channel.connected) this.#onEnd();
  }

  /** Sends the version of this process. Resolves with the reply. Rejects with a `Failure` if the predecessor cannot be replaced. */
  hello(version: string): Promise<Welcome | undefined> {
    this.#send({ type: "hello", version });
    return this.welcome;
  }

  /**
   * Asks for the listening sockets, and calls back for each: in the turn in which it was received, since it accepts connections
   * from the next one on. Resolves when all have been received.
   */
  takeSockets(onSocket: (use: SocketUse, address: string, socket: Server) => void): Promise<void> {
    this.#onSocket = onSocket;
    this.#send({ type: "sockets" });
    return this.#sent.promise;
  }

  /** This process accepts connections. */
  ready(): void {
    this.#send({ type: "ready" });
  }

  /** Resolves when the reason is on its way. */
  failed(message: string): Promise<void> {
    return new Promise((resolve) => this.#send({ type: "failed", message }, resolve));
  }

  /** Ends the requests in flight in the predecessor. */
  endNow(): void {
    this.#send({ type: "end" });
  }

  /** Calls back with the counts of the predecessor, those of `draining` included. */
  onCounts(listener: (counts: ProcessCounts) => void): void {
    this.#onCounts = listener;
  }

  #onMessage(value: unknown, handle: unknown): void {
    try {
      const message = parsePredecessorMessage(value);
      if (message !== undefined) this.#onParsed(message, handle);
    } catch (error) {
      if (!(error instanceof ProtocolMismatch)) throw error;
      this.#welcomed.reject(new Failure(messageOf(error)));
    }
  }

  #onParsed(message: PredecessorMessage, handle: unknown): void {
    if (message.type === "welcome") return this.#welcomed.resolve(message);
    if (message.type === "sent") return this.#sent.resolve();
    if (message.type === "socket") {
      if (handle instanceof Server) this.#onSocket(message.use, message.address, handle);
      return;
    }
    this.#onCounts(message);
    if (message.type === "draining") this.#drains.resolve(message);
  }

  #onEnd(): void {
    this.#welcomed.resolve(undefined);
    this.#sent.resolve();
    this.#drains.resolve(undefined);
    this.#end.resolve();
  }

  #send(message: SuccessorMessage, done: () => void = () => {}): void {
    if (!this.#channel.connected) return done();
    this.#channel.send(toWire(message), () => done());
  }
}

/** Returns the process that this one was started to replace. Undefined for every other start. Throws a `Failure`. */
export function findPredecessor(): Predecessor | undefined {
  const spoken = process.env[protocolVariable];
  // Not for the processes that this one starts.
  delete process.env[protocolVariable];
  if (spoken === undefined || process.send === undefined) return undefined;
  if (spoken !== String(protocol)) throw new Failure(new ProtocolMismatch(spoken).message);
  return new Predecessor(process as unknown as PredecessorChannel);
}

interface PromiseWithRejection<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (reason: Error) => void;
}

function withRejection<T>(): PromiseWithRejection<T> {
  let resolve: (value: T) => void = () => {};
  let reject: (reason: Error) => void = () => {};
  const promise = new Promise<T>((resolved, rejected) => {
    resolve = resolved;
    reject = rejected;
  });
  promise.catch(() => {});
  return { promise, resolve, reject };
}
