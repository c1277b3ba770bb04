/**
 * The app's `onSend` hooks, in front of a response that streams past fastify.
 *
 * Cookies of @fastify/cookie, sessions of @fastify/session and whatever else a hook sets have to be in the response's head. When
 * the proxy is about to write one, its headers are put on the reply and `reply.send()` is called without a payload. Fastify then
 * runs the hooks, a route's own last: that is `lastOnSend`, which takes the reply back, and the head goes out with what the hooks
 * have changed. The body, held until then, streams as before.
 */

import type { OutgoingHttpHeader, ServerResponse } from "node:http";
import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from "fastify";
import { appLines, changedReplyHeaders, type HeadLines, putOnReply, readHead } from "./reply-headers.ts";

type Done = (error?: Error | null, payload?: unknown) => void;

/** Replies whose hooks have to run before something else happens. */
const waiting = new WeakMap<FastifyReply, (payload: unknown, done: Done) => void>();

/** The last `onSend` hook of the plugin's routes. */
export function lastOnSend(
  _request: FastifyRequest,
  reply: FastifyReply,
  payload: unknown,
  done: HookHandlerDoneFunction,
): void {
  const goOn = waiting.get(reply);
  if (goOn === undefined) (done as Done)(null, payload);
  else goOn(payload, done as Done);
}

/** The routing context of a request, which fastify keeps under a symbol of its own, with the hooks of its route. */
let contextKey: symbol | undefined;

/** Whether the app has `onSend` hooks for this request beside `lastOnSend`; true where that cannot be told. */
export function hasOnSendHooks(request: FastifyRequest): boolean {
  contextKey ??= Object.getOwnPropertySymbols(request).find((key) => onSendOf(request, key) !== undefined);
  const hooks = contextKey && onSendOf(request, contextKey);
  return hooks === undefined || hooks.length > 1;
}

function onSendOf(request: FastifyRequest, key: symbol): readonly unknown[] | undefined {
  const context: unknown = Reflect.get(request, key);
  const hooks: unknown = typeof context === "object" && context !== null ? Reflect.get(context, "onSend") : undefined;
  return Array.isArray(hooks) ? hooks : undefined;
}

/**
 * Runs the hooks without a response, as for an upgrade, and hands over what the app has set in the end. They may answer instead,
 * or fail: then fastify answers, and `goOn` is not called.
 */
export function runOnSend(reply: FastifyReply, goOn: (headers: string[]) => void): void {
  waiting.set(reply, (payload, done) => {
    waiting.delete(reply);
    if (payload !== undefined) return done(null, payload);
    let headers: string[];
    try {
      headers = appLines(reply.getHeaders());
    } catch (error) {
      return done(error as Error);
    }
    reply.hijack();
    goOn(headers);
  });
  reply.send();
}

interface HeldWrite {
  readonly args: Parameters<ServerResponse["write"]>;
}

/** Holds a response back from its head on until the hooks have run. */
export class OnSendGate {
  readonly #reply: FastifyReply;
  readonly #res: ServerResponse;
  /** Stops the proxy: fastify answers instead. */
  readonly #stop: () => void;
  /** The methods that an app has put on the response itself, as compression does. */
  readonly #own: Partial<Pick<ServerResponse, "writeHead" | "write" | "end">>;
  #head: HeadLines | undefined;
  #before: ReadonlyMap<string, OutgoingHttpHeader> = new Map();
  #writes: HeldWrite[] = [];
  #end: Parameters<ServerResponse["end"]> | undefined;

  constructor(reply: FastifyReply, stop: () => void) {
    this.#reply = reply;
    this.#res = reply.raw;
    this.#stop = stop;
    this.#own = {};
    for (const name of ["writeHead", "write", "end"] as const) {
      if (Object.hasOwn(this.#res, name)) Object.assign(this.#own, { [name]: this.#res[name] });
    }
    this.#res.writeHead = ((...args: readonly unknown[]) => this.#onHead(args)) as ServerResponse["writeHead"];
    waiting.set(reply, (payload, done) => this.#onHooksRan(payload, done));
  }

  /** Gives the response back as it was. */
  release(): void {
    waiting.delete(this.#reply);
    for (const name of ["writeHead", "write", "end"] as const) {
      const own = this.#own[name];
      if (own === undefined) Reflect.deleteProperty(this.#res, name);
      else Object.assign(this.#res, { [name]: own });
    }
  }

  #onHead(args: readonly unknown[]): ServerResponse {
    if (this.#head !== undefined) {
      // The proxy writes one head: this is fastify's, of an error in a hook.
      this.#leaveToApp();
      return this.#res.writeHead(...(args as Parameters<ServerResponse["writeHead"]>));
    }
    this.#head = readHead(this.#res, args);
    this.#res.write = ((...written: HeldWrite["args"]) => {
      this.#writes.push({ args: written });
      return false;
    }) as ServerResponse["write"];
    this.#res.end = ((...ended: Parameters<ServerResponse["end"]>) => {
      this.#end = ended;
      return this.#res;
    }) as ServerResponse["end"];
    this.#before = putOnReply(this.#reply, this.#head);
    this.#reply.send();
    return this.#res;
  }

  #onHooksRan(payload: unknown, done: Done): void {
    const head = this.#head;
    if (head === undefined || payload !== undefined) {
      this.#leaveToApp();
      return done(null, payload);
    }
    let changed: HeadLines;
    try {
      changed = changedReplyHeaders(this.#reply, head, this.#before);
    } catch (error) {
      this.#leaveToApp();
      return done(error as Error);
    }
    this.#reply.hijack();
    this.release();
    if (!this.#res.destroyed) this.#sendHeld(changed);
  }

  #sendHeld({ status, reason, lines }: HeadLines): void {
    const res = this.#res;
    for (const name of res.getHeaderNames()) res.removeHeader(name);
    // Set one by one, they can be read by loggers.
    for (let index = 0; index < lines.length; index += 2) {
      res.appendHeader(lines[index] as string, lines[index + 1] as string);
    }
    res.writeHead(status, reason);
    let mayGoOn = true;
    for (const { args } of this.#writes) mayGoOn = res.write(...args);
    const wasHeld = this.#writes.length > 0;
    this.#writes = [];
    if (this.#end !== undefined) res.end(...this.#end);
    else if (wasHeld && mayGoOn) res.emit("drain");
  }

  /** A hook has failed or has answered itself: what the proxy has said is dropped, and it says nothing more. */
  #leaveToApp(): void {
    this.release();
    this.#writes = [];
    this.#stop();
    if (this.#head === undefined) return;
    for (const name of ofTheBody) {
      if (this.#reply.getHeader(name) === this.#before.get(name)) this.#reply.removeHeader(name);
    }
  }
}

/** Headers that describe the body of the response that is dropped. */
const ofTheBody = [
  ...["content-length", "content-encoding", "content-range", "content-digest", "content-md5", "digest"],
  ...["accept-ranges", "etag", "last-modified"],
];
