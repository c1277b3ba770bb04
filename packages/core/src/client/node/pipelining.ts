/**
 * Requests that a client sends ahead of the answers to earlier ones. Node hands on all of them at once, as many as there
 * are in what it has read: without a bound, a few kilobytes from one client would open thousands of connections to upstreams.
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { limits } from "../../config/defaults.ts";
import { AsyncContext, bindContext } from "../../runtime/async-context.ts";
import { onResponseClosed } from "./response-closed.ts";

const pipelines = new WeakMap<Socket, Pipeline>();

/** Whether a request is behind another on its connection: its response has no socket to write to yet. */
export function isPipelined(res: ServerResponse): boolean {
  return res.socket === null;
}

/** Node writes a response that waits when the one in front has ended, and then emits its events in that one's async context. */
export function keepContext(res: ServerResponse): void {
  const context = new AsyncContext();
  const { emit } = res;
  res.emit = (...args: Parameters<typeof emit>) => context.run(emit, res, ...args);
}

/** Counts a pipelined request as in flight, unless enough are on its connection: then it has to wait. */
export function startInTurn(req: IncomingMessage, res: ServerResponse): boolean {
  return pipelineOf(req.socket).start(req, res);
}

/**
 * Calls back when a pipelined request may start, counted as in flight. `gone` tells that the connection has ended in the
 * meantime.
 */
export function waitForTurn(req: IncomingMessage, res: ServerResponse, start: (gone: boolean) => void): void {
  // The end of another request will start it.
  pipelineOf(req.socket).wait({ req, res, start: bindContext(start) });
}

function pipelineOf(socket: Socket): Pipeline {
  const pipeline = pipelines.get(socket) ?? new Pipeline(socket);
  pipelines.set(socket, pipeline);
  return pipeline;
}

interface Pipelined {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly start: (gone: boolean) => void;
}

/** The pipelined requests of one connection. At most `pipelinedRequests` of those that wait start in one turn of the event loop. */
class Pipeline {
  readonly #socket: Socket;
  #inFlight = 0;
  #waiting: Pipelined[] = [];
  #scheduled = false;
  #pausing = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.once("close", () => this.#schedule());
  }

  start(req: IncomingMessage, res: ServerResponse): boolean {
    if (this.#waiting.length > 0 || this.#inFlight >= limits.pipelinedRequests) return false;
    this.#inFlight++;
    onResponseClosed(req, res, this.#onOver);
    return true;
  }

  wait(request: Pipelined): void {
    this.#waiting.push(request);
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

  /** Reading goes on in the next turn, unless too many wait: a connection that is not read does not notice that its client has left. */
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

  readonly #onOver = (): void => {
    this.#inFlight--;
    // Node reads on by itself behind every answer.
    if (this.#waiting.length >= limits.pipelinedWaiting) this.#socket.pause();
    this.#schedule();
  };

  /** In a turn of its own, so that a client that has sent thousands takes no more of each turn than its share. */
  #schedule(): void {
    if (this.#scheduled || this.#waiting.length === 0) return;
    this.#scheduled = true;
    setImmediate(this.#startWaiting);
  }

  readonly #startWaiting = (): void => {
    this.#scheduled = false;
    const { destroyed } = this.#socket;
    const room = destroyed ? limits.pipelinedRequests : limits.pipelinedRequests - this.#inFlight;
    for (const { req, res, start } of this.#waiting.splice(0, room)) {
      if (!destroyed) {
        this.#inFlight++;
        onResponseClosed(req, res, this.#onOver);
      }
      start(destroyed);
    }
    if (destroyed) this.#schedule();
    else this.#resume();
  };
}
