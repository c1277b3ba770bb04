import { createServer, type Server, type ServerOpts, type Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "../../runtime/clock.ts";
import { limits } from "../limits.ts";
import type { InheritedSocket } from "./inherited-socket.ts";
import { type Binding, bind, type ListeningHandle, type ListenTarget } from "./listen.ts";

export interface ListeningSocketEvents {
  readonly accepted: (socket: Socket) => void;
  readonly acceptFailed: (error: Error) => void;
}

/** One socket that accepts connections, from its opening until its close. */
export class ListeningSocket {
  readonly #server: Server;
  readonly #events: ListeningSocketEvents;
  #binding: Binding | undefined;
  #accepted = 0;
  #closed: Promise<void> | undefined;

  constructor(options: ServerOpts, events: ListeningSocketEvents) {
    this.#events = events;
    this.#server = createServer(options, (socket) => this.#onSocket(socket));
  }

  /** A socket that was inherited is in use before the call returns its promise. Throws a `ListenError`. */
  async open(address: ListenTarget, from: InheritedSocket | undefined): Promise<void> {
    this.#binding = await bind(this.#server, address, from);
    this.#server.on("error", this.#events.acceptFailed);
    if (this.#closed === undefined) return;
    this.#binding.release();
    this.#server.close();
    throw new Error("the server was closed");
  }

  /**
   * Gives a Unix socket its path, and passes on the connections, paused, that an inherited socket has accepted before. Throws
   * a `ListenError`.
   */
  publish(): void {
    for (const socket of this.#binding?.publish() ?? []) this.#onSocket(socket);
  }

  url(scheme: "http" | "https"): string {
    return this.#binding?.url(scheme) ?? "";
  }

  /** What another process can take over. */
  get handle(): ListeningHandle | undefined {
    return this.#binding?.handle;
  }

  /**
   * Stops accepting connections. The connections in the backlog of the system are accepted first: closing the listening
   * socket would reset them, although their clients may have sent whole requests. Node accepts one in each turn of the event
   * loop, so short turns without one mean that the backlog is empty.
   */
  async stop(clock: Clock): Promise<void> {
    this.#binding?.release();
    const startedAt = clock.now();
    let turnAt = startedAt;
    await nextTurn();
    for (let quietTurns = 0; quietTurns < 2 && turnAt - startedAt < limits.acceptRestMs; ) {
      const before = this.#accepted;
      turnAt = clock.now();
      await nextTurn();
      const quiet = this.#accepted === before && clock.now() - turnAt < limits.quietTurnMs;
      quietTurns = quiet ? quietTurns + 1 : 0;
    }
    void this.close();
  }

  /** Stops at once where another process accepts the rest of the backlog. */
  async handOver(clock: Clock): Promise<void> {
    if (this.#binding?.shareable === true) void this.close();
    else await this.stop(clock);
  }

  /** Resolves when the connections that Node counts are closed, too. */
  close(): Promise<void> {
    this.#binding?.release();
    this.#closed ??= new Promise((resolve) => {
      this.#server.close(() => resolve());
    });
    return this.#closed;
  }

  #onSocket(socket: Socket): void {
    this.#accepted++;
    this.#events.accepted(socket);
  }
}
