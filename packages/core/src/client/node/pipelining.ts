/**
 * Requests that a client sends before it has received the responses to earlier ones. Node emits all of them at once, as many as
 * there are in what it has read: without a bound, a few kilobytes from one client would open thousands of connections to
 * upstreams.
 */

import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { limits } from "../../config/defaults.ts";
import { AsyncContext, bindContext } from "../../runtime/async-context.ts";

/** Whether a request is behind another on its connection: its response has no socket yet. */
export function isPipelined(res: ServerResponse): boolean {
  return res.socket === null;
}

/** Node writes a waiting response when the one in front has ended, and emits its events in the async context of that one. */
export function keepContext(res: ServerResponse): void {
  const context = new AsyncContext();
  const { emit } = res;
  res.emit = (...args: Parameters<typeof emit>) => context.run(emit, res, ...args);
}

/** A pipelined request. */
interface Pipelined {
  /** Node's object, which several proxies may receive one after the other. */
  readonly req: object;
  /** Calls back once its response is finished or the connection has closed. */
  onResponseClosed(callback: () => void): void;
}

interface Waiting {
  readonly request: Pipelined;
  readonly start: (gone: boolean) => void;
}

/** The pipelined requests of one connection. At most `pipelinedRequests` of those that wait start in one turn of the event loop. */
export class Pipelining {
  readonly #socket: Socket;
  #inFlight = 0;
  /** The requests that were counted. One that a proxy has left to the next keeps its place. */
  readonly #counted = new WeakSet<object>();
  #waiting: Waiting[] = [];
  #scheduled = false;
  #pausing = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.once("close", () => this.#schedule());
  }

  /** Counts a request as in flight. False when too many are in flight: then it has to wait. */
  start(request: Pipelined): boolean {
    if (this.#counted.has(request.req)) return true;
    if (this.#waiting.length > 0 || this.#inFlight >= limits.pipelinedRequests) return false;
    this.#count(request);
    return true;
  }

  #count(request: Pipelined): void {
    this.#counted.add(request.req);
    this.#inFlight++;
    request.onResponseClosed(this.#onResponseClosed);
  }

  /** Calls back when the request may start and is counted as in flight. `gone`: the connection has closed before. */
  wait(request: Pipelined, start: (gone: boolean) => void): void {
    // The end of another request starts it.
    this.#waiting.push({ request, start: bindContext(start) });
    if (this.#pausing) return;
    this.#pausing = true;
    process.nextTick(this.#pauseAfterNode);
  }

  /**
   * Node resumes the socket behind each request, in a tick of its own that is already scheduled. Without a pause after that tick it
   * reads on within the same turn of the event loop, up to two megabytes.
   */
  readonly #pauseAfterNode = (): void => {
    process.nextTick(this.#pauseForTurn);
  };

  /**
   * Reading resumes in the next turn, unless too many requests wait. A connection that is not read does not notice that its
   * client has left.
   */
  readonly #pauseForTurn = (): void => {
    this.#socket.pause();
    setImmediate(() => {
      this.#pausing = false;
      this.#resume();
    });
  };

  #resume(): void {
    if (!this.#pausing && this.#waiting.length < limits.pipelinedWaiting) this.#socket.resume();
  }

  readonly #onResponseClosed = (): void => {
    this.#inFlight--;
    // Node resumes reading after every response.
    if (this.#waiting.length >= limits.pipelinedWaiting) this.#socket.pause();
    this.#schedule();
  };

  /** In a turn of its own, so that a client that has sent thousands of requests takes only its share of each turn. */
  #schedule(): void {
    if (this.#scheduled || this.#waiting.length === 0) return;
    this.#scheduled = true;
    setImmediate(this.#startWaiting);
  }

  readonly #startWaiting = (): void => {
    this.#scheduled = false;
    const { destroyed } = this.#socket;
    const room = destroyed ? limits.pipelinedRequests : limits.pipelinedRequests - this.#inFlight;
    for (const { request, start } of this.#waiting.splice(0, room)) {
      if (!destroyed) this.#count(request);
      start(destroyed);
    }
    if (destroyed) this.#schedule();
    else this.#resume();
  };
}
