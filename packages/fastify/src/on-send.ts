/**
 * Runs the app's `onSend` hooks for a response that does not go through fastify.
 *
 * Cookies of @fastify/cookie, sessions of @fastify/session and all other headers that a hook sets must be in the response head.
 * When the proxy writes the head, its headers are set on the reply, and `reply.send()` is called without a payload. Fastify then
 * runs the hooks, those of the route last. `lastOnSend` is the last one: it hijacks the reply, and the head is sent with the
 * changes of the hooks. The body is held until then, and streams from there on.
 */

import type { OutgoingHttpHeader, ServerResponse } from "node:http";
import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from "fastify";
import { appHeaders, type ResponseHead, readChangedHead, readHead, setReplyHead } from "./reply-headers.ts";

type Done = (error?: Error | null, payload?: unknown) => void;

/** Callbacks for when the hooks of a reply have run. */
const callbacks = new WeakMap<FastifyReply, (payload: unknown, done: Done) => void>();

/** The last `onSend` hook of the plugin's routes. */
export function lastOnSend(
  _request: FastifyRequest,
  reply: FastifyReply,
  payload: unknown,
  done: HookHandlerDoneFunction,
): void {
  const onHooksRan = callbacks.get(reply);
  if (onHooksRan === undefined) (done as Done)(null, payload);
  else onHooksRan(payload, done as Done);
}

/** The private symbol under which fastify keeps the routing context of a request, which has the hooks of its route. */
let contextKey: symbol | undefined;

/** Whether the app has `onSend` hooks for this request besides `lastOnSend`. Returns true if that is unknown. */
export function hasOnSendHooks(request: FastifyRequest): boolean {
  contextKey ??= Object.getOwnPropertySymbols(request).find((key) => onSendHooksOf(request, key) !== undefined);
  const hooks = contextKey && onSendHooksOf(request, contextKey);
  return hooks === undefined || hooks.length > 1;
}

function onSendHooksOf(request: FastifyRequest, key: symbol): readonly unknown[] | undefined {
  const context: unknown = Reflect.get(request, key);
  const hooks: unknown = typeof context === "object" && context !== null ? Reflect.get(context, "onSend") : undefined;
  return Array.isArray(hooks) ? hooks : undefined;
}

/**
 * Runs the hooks without a response, as for an upgrade, and calls `next` with the headers that the app has set. If a hook
 * replies or fails, fastify sends the response and `next` is not called.
 */
export function runOnSendHooks(reply: FastifyReply, next: (headers: string[]) => void): void {
  callbacks.set(reply, (payload, done) => {
    callbacks.delete(reply);
    if (payload !== undefined) return done(null, payload);
    let headers: string[];
    try {
      headers = appHeaders(reply.getHeaders());
    } catch (error) {
      return done(error as Error);
    }
    reply.hijack();
    next(headers);
  });
  reply.send();
}

interface HeldWrite {
  readonly args: Parameters<ServerResponse["write"]>;
}

/** Holds a response, head included, until the hooks have run. */
export class OnSendGate {
  readonly #reply: FastifyReply;
  readonly #res: ServerResponse;
  /** Stops the proxy, because fastify sends the response. */
  readonly #stop: () => void;
  /** The methods that an app has replaced on the response object, as compression does. */
  readonly #own: Partial<Pick<ServerResponse, "writeHead" | "write" | "end">>;
  #head: ResponseHead | undefined;
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
    callbacks.set(reply, (payload, done) => this.#onHooksRan(payload, done));
  }

  /** Restores the methods of the response. */
  release(): void {
    callbacks.delete(this.#reply);
    for (const name of ["writeHead", "write", "end"] as const) {
      const own = this.#own[name];
      if (own === undefined) Reflect.deleteProperty(this.#res, name);
      else Object.assign(this.#res, { [name]: own });
    }
  }

  #onHead(args: readonly unknown[]): ServerResponse {
    if (this.#head !== undefined) {
      // The proxy writes one head only: this is the head of fastify's error response after a failed hook.
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
    this.#before = setReplyHead(this.#reply, this.#head);
    this.#reply.send();
    return this.#res;
  }

  #onHooksRan(payload: unknown, done: Done): void {
    const head = this.#head;
    if (head === undefined || payload !== undefined) {
      this.#leaveToApp();
      return done(null, payload);
    }
    let changed: ResponseHead;
    try {
      changed = readChangedHead(this.#reply, head, this.#before);
    } catch (error) {
      this.#leaveToApp();
      return done(error as Error);
    }
    this.#reply.hijack();
    this.release();
    if (!this.#res.destroyed) this.#sendHeld(changed);
  }

  #sendHeld({ status, reason, lines }: ResponseHead): void {
    const res = this.#res;
    for (const name of res.getHeaderNames()) res.removeHeader(name);
    // Set one by one, so that loggers can read them. The first of a name is set: Node's HTTP/2 response does not remove Date.
    const names = new Set<string>();
    for (let index = 0; index < lines.length; index += 2) {
      const name = lines[index] as string;
      const value = lines[index + 1] as string;
      if (names.has(name.toLowerCase())) res.appendHeader(name, value);
      else res.setHeader(name, value);
      names.add(name.toLowerCase());
    }
    // Node warns of a reason phrase over HTTP/2.
    if (res.req.httpVersionMajor === 1) res.writeHead(status, reason);
    else res.writeHead(status);
    let mayContinue = true;
    for (const { args } of this.#writes) mayContinue = res.write(...args);
    const wasHeld = this.#writes.length > 0;
    this.#writes = [];
    if (this.#end !== undefined) res.end(...this.#end);
    else if (wasHeld && mayContinue) res.emit("drain");
  }

  /** A hook has failed or has replied: the proxy's response is dropped, and the proxy stops. */
  #leaveToApp(): void {
    this.release();
    this.#writes = [];
    this.#stop();
    if (this.#head === undefined) return;
    for (const name of bodyHeaders) {
      if (this.#reply.getHeader(name) === this.#before.get(name)) this.#reply.removeHeader(name);
    }
  }
}

/** Headers that describe the body of the dropped response. */
const bodyHeaders = [
  ...["content-length", "content-encoding", "content-range", "content-digest", "content-md5", "digest"],
  ...["accept-ranges", "etag", "last-modified"],
];
