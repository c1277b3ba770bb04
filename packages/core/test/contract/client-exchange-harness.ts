import { AsyncLocalStorage } from "node:async_hooks";
import { expect, onTestFinished } from "vitest";
import type { ClientExchange, ClientHandler } from "../../src/client/client-exchange.ts";
import type { ErrorCode } from "../../src/errors.ts";
import { turns, until } from "../support/event-loop.ts";

/** How implementations differ by their protocol. */
export interface ClientExchangeTraits {
  readonly httpVersion: string;
  readonly remoteAddress: string | undefined;
  readonly encrypted: boolean;
  /** A connection carries the requests of a client one after another. */
  readonly hasConnection: boolean;
  /** The letter case of field names is kept. */
  readonly keepsLetterCase: boolean;
  /** Repeated fields stay where they are; else they are sent one behind the other. */
  readonly keepsFieldOrder: boolean;
  readonly hasReasonPhrase: boolean;
  /** A request can have a body, and another method than GET. */
  readonly hasRequestBodies: boolean;
  /** A body of unknown length can be sent, and can be malformed. */
  readonly hasChunks: boolean;
  /** A request whose rest is malformed gets a response; else its stream is reset. */
  readonly respondsToMalformed: boolean;
  /** A response can have trailers. */
  readonly hasTrailers: boolean;
  /** A client can receive interim responses. */
  readonly hasInterimResponses: boolean;
  /** The request offers an upgrade that can be accepted. */
  readonly isUpgrade: boolean;
  /** The status of an upgrade that is accepted. */
  readonly upgradeStatus: 101 | 200;
  /** An app in front of the proxy can send a response itself. */
  readonly hasAppInFront: boolean;
}

/** A request as a test describes it. Without `bodyLength` it has no body. */
export interface RequestSketch {
  readonly method?: string;
  readonly target?: string;
  /** Names and values by turns. */
  readonly headers?: readonly string[];
  readonly bodyLength?: number | "unknown";
  /** The client waits for a 100 (Continue) before it sends the body. */
  readonly expectsContinue?: boolean;
  /** What the client of an upgrade sends right behind the head. */
  readonly early?: string;
}

/** What a client has received so far. */
export interface ReceivedResponse {
  readonly informational: readonly { readonly status: number; readonly headers: readonly string[] }[];
  /** 0 before the head. */
  readonly status: number;
  readonly reason: string;
  /** Names and values by turns. */
  readonly headers: readonly string[];
  readonly body: Buffer;
  readonly trailers: readonly string[];
  readonly complete: boolean;
  /** The connection has closed, or its part that belongs to this exchange. */
  readonly closed: boolean;
}

/** The client of one exchange. */
export interface TestClient {
  /** Sends a chunk of the body. */
  send(chunk: Buffer): void;
  /** Ends the body. */
  end(): void;
  /** Sends what no body can contain. */
  sendMalformed(): void;
  /** Bytes that were sent and have not left the client. */
  readonly unsent: number;
  /** Stops reading the response. */
  pause(): void;
  resume(): void;
  /** Closes the connection at once. */
  leave(): void;
  readonly received: ReceivedResponse;
  /** Sends bytes on a connection that was taken over. */
  sendRaw(text: string): void;
  /** What the client has received behind a 101. */
  readonly receivedRaw: string;
}

export interface OpenedExchange {
  readonly exchange: ClientExchange;
  readonly client: TestClient;
  /** Lets an app in front of the proxy respond; undefined where there can be none. */
  readonly respondAsApp: ((status: number) => void) | undefined;
}

export interface ClientExchangeHarness {
  readonly traits: ClientExchangeTraits;
  /** Sends the head of a request, and resolves with the exchange that its server hands over. */
  readonly open: (sketch: RequestSketch) => Promise<OpenedExchange>;
}

type Method = (...args: unknown[]) => unknown;

const storage = new AsyncLocalStorage<string>();

/**
 * The handler of one exchange. It records what it receives, and each call that the seam forbids: a call during a method of
 * the exchange or outside of the context of `start`, and a call after the one that ends what it belongs to.
 */
export class RecordingHandler implements ClientHandler {
  /** The exchange, whose methods the handler watches. */
  readonly exchange: ClientExchange;
  /** The chunks themselves, so that one that is overwritten later shows. */
  readonly chunks: Buffer[] = [];
  bodyEnded = false;
  readonly faults: ErrorCode[] = [];
  writableCalls = 0;
  closed: boolean | undefined;
  /** The connection was taken over: no further call may follow. */
  takenOver = false;
  /** Called with each chunk, within the call. */
  onChunk: (chunk: Buffer) => void = () => {};
  started = false;
  readonly #context: string;
  readonly #violations: string[] = [];
  #calling = false;
  #discarded = false;

  constructor(exchange: ClientExchange, context: string) {
    this.#context = context;
    this.exchange = new Proxy(exchange, {
      get: (target, key) => {
        const value: unknown = Reflect.get(target, key, target);
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => this.#call(target, key, value as Method, args);
      },
    });
  }

  get body(): string {
    return Buffer.concat(this.chunks).toString("latin1");
  }

  get violations(): readonly string[] {
    return this.#violations;
  }

  start(): void {
    this.started = true;
    storage.run(this.#context, () => this.exchange.start(this));
  }

  onBody(chunk: Buffer): void {
    this.#check("onBody", !this.bodyEnded && this.faults.length === 0 && !this.#discarded);
    this.chunks.push(chunk);
    this.onChunk(chunk);
  }

  onBodyEnd(): void {
    this.#check("onBodyEnd", !this.bodyEnded && this.faults.length === 0 && !this.#discarded);
    this.bodyEnded = true;
  }

  onFault(code: ErrorCode): void {
    this.#check("onFault", !this.bodyEnded && this.faults.length === 0);
    this.faults.push(code);
  }

  onWritable(): void {
    this.#check("onWritable", true);
    this.writableCalls++;
  }

  onClosed(finished: boolean): void {
    this.#check("onClosed", true);
    this.closed = finished;
  }

  #check(name: string, allowed: boolean): void {
    if (this.#calling) this.#violations.push(`${name} during a method of the exchange`);
    if (!this.started) this.#violations.push(`${name} before start`);
    if (storage.getStore() !== this.#context) this.#violations.push(`${name} outside of the context of start`);
    if (this.closed !== undefined) this.#violations.push(`${name} after onClosed`);
    if (this.takenOver) this.#violations.push(`${name} after takeOver`);
    if (!allowed) this.#violations.push(`${name} too late or twice`);
  }

  #call(target: ClientExchange, key: PropertyKey, method: Method, args: unknown[]): unknown {
    if (key === "discardBody") this.#discarded = true;
    const isNested = this.#calling;
    this.#calling = true;
    try {
      return Reflect.apply(method, target, args);
    } finally {
      this.#calling = isNested;
    }
  }
}

export interface Scene extends OpenedExchange {
  readonly handler: RecordingHandler;
}

let scenes = 0;

/**
 * Opens an exchange with a handler that is not started yet. When the test has ended, the client leaves, and the handler must
 * have received exactly one `onClosed` as its last call, whatever the test has done.
 */
export async function openScene({ open }: ClientExchangeHarness, sketch: RequestSketch): Promise<Scene> {
  const { exchange, client, respondAsApp } = await open(sketch);
  const handler = new RecordingHandler(exchange, `scene ${scenes++}`);
  onTestFinished(async () => {
    if (!handler.started) handler.start();
    if (!handler.takenOver) {
      client.leave();
      await until(() => handler.closed !== undefined);
    }
    // A second call would come by now.
    await turns(5);
    expect(handler.violations).toEqual([]);
  });
  return { exchange: handler.exchange, handler, client, respondAsApp };
}

/** The same with a handler that is started. */
export async function startScene(harness: ClientExchangeHarness, sketch: RequestSketch = {}): Promise<Scene> {
  const scene = await openScene(harness, sketch);
  scene.handler.start();
  return scene;
}

/** The values of a field, in order. */
export function fieldsOf(headers: readonly string[], name: string): string[] {
  return headers.filter((_, index) => index % 2 === 1 && headers[index - 1]?.toLowerCase() === name.toLowerCase());
}

/** Those of HTTP/1.1 over a plain TCP connection. */
export const http11Traits: ClientExchangeTraits = {
  httpVersion: "1.1",
  remoteAddress: "127.0.0.1",
  encrypted: false,
  hasConnection: true,
  keepsLetterCase: true,
  keepsFieldOrder: true,
  hasReasonPhrase: true,
  hasRequestBodies: true,
  hasChunks: true,
  respondsToMalformed: true,
  hasTrailers: true,
  hasInterimResponses: true,
  isUpgrade: false,
  upgradeStatus: 101,
  hasAppInFront: true,
};

/** What a client has received before anything was sent. */
export const nothingReceived: ReceivedResponse = {
  informational: [],
  status: 0,
  reason: "",
  headers: [],
  body: Buffer.alloc(0),
  trailers: [],
  complete: false,
  closed: false,
};
