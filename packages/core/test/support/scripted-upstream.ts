/**
 * An upstream in memory, and the transport to it. A test says what becomes of each request that has reached it: a response at
 * once or later, a body in parts, a failure. Everything is reported in microtasks, in the order of the transport's seam.
 */

import { onTestFinished } from "vitest";
import type { ErrorCode } from "../../src/errors.ts";
import type {
  ConnectionUse,
  Exchange,
  ExchangeFailure,
  ExchangeHandler,
  RequestHead,
  Transport,
} from "../../src/transport/transport.ts";

/** Called with each request that has reached the upstream. */
export type Respond = (request: UpstreamRequest) => void;

let upstreams = 0;

/** The upstreams of the test in progress, by origin. */
const known = new Map<string, ScriptedUpstream>();

/** An upstream that responds 200 with its name to each complete request, until it has another `respond`. */
export function scriptedUpstream(name: string, respond?: Respond): ScriptedUpstream {
  const upstream = new ScriptedUpstream(name, respond);
  const { origin } = new URL(upstream.url);
  known.set(origin, upstream);
  onTestFinished(() => void known.delete(origin));
  return upstream;
}

/** Responds 200 with this body once the request was received whole. */
export function respondWith(body: string): Respond {
  return (request) => request.whenEnded(() => request.respond(200, [], body));
}

/** An upstream that refuses every connection. */
export function refusingUpstream(): ScriptedUpstream {
  const upstream = scriptedUpstream("refusing");
  upstream.refuses = true;
  return upstream;
}

export function upstreamAt(url: string): ScriptedUpstream {
  const upstream = known.get(new URL(url).origin);
  if (upstream === undefined) throw new Error(`no scripted upstream has the URL ${url}`);
  return upstream;
}

export class ScriptedUpstream implements Transport {
  readonly url: string;
  readonly name: string;
  /** What has reached it, in order. */
  readonly received: UpstreamRequest[] = [];
  respond: Respond;
  /** No connection is accepted. */
  refuses = false;
  /** The code of connections that fail. */
  refusal: ErrorCode = "connect_refused";
  /** Requests are sent on a connection that has carried others. */
  reuses = false;
  /** How often a proxy has closed its connections. */
  closings = 0;

  constructor(name: string, respond: Respond = respondWith(name)) {
    this.name = name;
    this.respond = respond;
    // An address: a name would be looked up.
    this.url = `http://10.0.${upstreams >> 8}.${upstreams & 255}:80`;
    upstreams++;
  }

  dispatch(head: RequestHead, handler: ExchangeHandler): Exchange {
    const request = new UpstreamRequest(head, handler, this.reuses && !head.freshConnection);
    queueMicrotask(() => {
      if (request.aborted) return;
      if (this.refuses) return request.fail(this.refusal, { sent: false });
      this.received.push(request);
      request.connect(() => this.respond(request));
    });
    return request.exchange;
  }

  /** Requests in flight fail, and no connection is accepted until `revive`. */
  kill(): void {
    this.refuses = true;
    for (const request of this.received) request.fail("reset");
  }

  revive(): void {
    this.refuses = false;
  }

  /** Requests share no connections. */
  get connectionUse(): ConnectionUse {
    return { open: 0, wanted: 0 };
  }

  limitConnections(): void {}

  close(): void {
    this.closings++;
  }

  destroy(): void {
    this.closings++;
    for (const request of this.received) request.fail("reset");
  }
}

type Step = () => void;

/** One request as its upstream sees it. */
export class UpstreamRequest {
  readonly head: RequestHead;
  readonly method: string;
  readonly url: string;
  readonly rawHeaders: readonly string[];
  /** By lower-case name; the last one of a repeated field. */
  readonly headers: Readonly<Record<string, string>>;
  /** The proxy has given the request up. */
  aborted = false;
  /** The body was received to its end, or there is none. */
  bodyEnded: boolean;
  /** Called with each chunk of the body. */
  onChunk: (chunk: Buffer) => void = () => {};
  /** The proxy's side. */
  readonly exchange: Exchange;
  readonly #handler: ExchangeHandler;
  readonly #reused: boolean;
  readonly #chunks: Buffer[] = [];
  readonly #steps: Step[] = [];
  #scheduled = false;
  #responded = false;
  #over = false;
  /** `onData` has returned false. */
  #held = false;
  /** The upstream does not read the body. */
  #bodyPaused = false;
  #onBodyEnd: (() => void) | undefined;

  constructor(head: RequestHead, handler: ExchangeHandler, reused: boolean) {
    this.head = head;
    this.method = head.method;
    this.url = head.path;
    this.rawHeaders = head.headers;
    this.headers = Object.fromEntries(
      head.headers.flatMap((name, index, all) => (index % 2 === 0 ? [[name.toLowerCase(), all[index + 1] ?? ""]] : [])),
    );
    this.bodyEnded = head.bodyLength === 0;
    this.#handler = handler;
    this.#reused = reused;
    this.exchange = {
      write: (chunk) => this.#onBody(chunk),
      end: () => this.#onEnd(),
      resume: () => {
        this.#held = false;
        this.#schedule();
      },
      abort: () => {
        this.aborted = true;
      },
    };
  }

  /** The body in Latin-1, as far as it was received. */
  get body(): string {
    return Buffer.concat(this.#chunks).toString("latin1");
  }

  /** What is still to be reported to the proxy. */
  get heldSteps(): number {
    return this.#steps.length;
  }

  connect(then: () => void): void {
    this.#then(() => {
      this.#handler.onConnected(this.exchange, this.#reused ? undefined : 0);
      if (!this.aborted) then();
    });
  }

  /** Calls back when the body was received to its end. */
  whenEnded(callback: () => void): void {
    if (this.bodyEnded) callback();
    else this.#onBodyEnd = callback;
  }

  /** Stops reading the body. */
  pauseBody(): void {
    this.#bodyPaused = true;
  }

  resumeBody(): void {
    this.#bodyPaused = false;
    this.#then(() => this.#handler.onDrain());
  }

  inform(status: number, headers: readonly string[] = []): void {
    this.#then(() => this.#handler.onInformation(status, headers));
  }

  /** A whole response. */
  respond(status: number, headers: readonly string[] = [], body: string | Buffer = ""): void {
    const bytes = typeof body === "string" ? Buffer.from(body, "latin1") : body;
    this.begin(status, headers, bytes.length);
    if (bytes.length > 0 && this.#hasBody(status)) this.#data(bytes);
    this.end();
  }

  /** The head of a response; -1 where its length is not known. */
  begin(status: number, headers: readonly string[] = [], length = -1): void {
    const isFramed = headers.some((name, index) => index % 2 === 0 && name.toLowerCase() === "content-length");
    const isLengthless = length === -1 || isFramed || status === 204 || status === 304;
    const framing = isLengthless ? [] : ["Content-Length", String(length)];
    this.#then(() => {
      this.#responded = true;
      this.#handler.onResponse(status, "", [...headers, ...framing], this.#hasBody(status) ? length : 0);
    });
  }

  /** A part of the response, behind which nothing has arrived so far. A string is Latin-1. */
  write(chunk: string | Buffer): void {
    this.#data(typeof chunk === "string" ? Buffer.from(chunk, "latin1") : chunk);
    this.flush();
  }

  flush(): void {
    this.#then(() => this.#handler.onFlush());
  }

  end(trailers: readonly string[] = []): void {
    this.#then(() => {
      this.#over = true;
      this.#handler.onComplete(trailers);
    });
  }

  /** The exchange fails. By default the request was sent, and the connection was not a reused one that had just closed. */
  fail(code: ErrorCode, { sent = true, reused = false, cause }: Partial<ExchangeFailure> = {}): void {
    this.#then(() => {
      this.#over = true;
      this.#handler.onFailure({ code, cause, sent, reused: reused && !this.#responded });
    });
  }

  #hasBody(status: number): boolean {
    return this.method !== "HEAD" && status !== 204 && status !== 304;
  }

  /** The memory of a chunk is read into again after the call. */
  #data(bytes: Buffer): void {
    this.#then(() => {
      const lent = Buffer.from(bytes);
      if (!this.#handler.onData(lent)) this.#held = true;
      lent.fill(0);
    });
  }

  #onBody(chunk: Uint8Array): boolean {
    const bytes = Buffer.from(chunk);
    this.#chunks.push(bytes);
    this.onChunk(bytes);
    return !this.#bodyPaused;
  }

  #onEnd(): void {
    this.bodyEnded = true;
    this.#onBodyEnd?.();
  }

  #then(step: Step): void {
    this.#steps.push(step);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || this.#steps.length === 0) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      if (this.aborted || this.#over || this.#held) return;
      this.#steps.shift()?.();
      this.#schedule();
    });
  }
}
