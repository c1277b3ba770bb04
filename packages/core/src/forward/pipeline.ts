/**
 * Requests that a client sends ahead of the answers to earlier ones. Node hands on all of them at once, as many as there
 * are in what it has read: without a bound, a few kilobytes from one client would open thousands of connections to upstreams.
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { limits } from "../config/defaults.ts";
import { AsyncContext, bindContext } from "../runtime/async-context.ts";
import { onceOver } from "./once-over.ts";

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

/**
 * Starts a pipelined request now, or as soon as few enough are under way on its connection. `gone` tells that the
 * connection has ended in the meantime.
 */
export function startInTurn(req: IncomingMessage, res: ServerResponse, start: (gone: boolean) => void): void {
  const { socket } = req;
  const pipeline = pipelines.get(socket) ?? new Pipeline(socket);
  pipelines.set(socket, pipeline);
  pipeline.add({ req, res, start });
}

interface Pipelined {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly start: (gone: boolean) => void;
}

class Pipeline {
  readonly #socket: Socket;
  #underWay = 0;
  #waiting: Pipelined[] = [];

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.once("close", () => {
      for (const { start } of this.#waiting.splice(0)) start(true);
    });
  }

  add(request: Pipelined): void {
    if (this.#underWay < limits.pipelinedRequests) return this.#begin(request);
    // The end of another request will start it.
    this.#waiting.push({ ...request, start: bindContext(request.start) });
    // What Node has read already still comes.
    this.#socket.pause();
  }

  #begin({ req, res, start }: Pipelined): void {
    this.#underWay++;
    onceOver(req, res, this.#onOver);
    start(false);
  }

  readonly #onOver = (): void => {
    this.#underWay--;
    if (this.#socket.destroyed || this.#waiting.length === 0) return;
    this.#begin(this.#waiting.shift() as Pipelined);
    // Node reads on by itself behind every answer.
    if (this.#waiting.length > 0) this.#socket.pause();
    else this.#socket.resume();
  };
}
