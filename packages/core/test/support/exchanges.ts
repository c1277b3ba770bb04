import type { Socket } from "node:net";
import { expect, onTestFinished } from "vitest";
import type { PoolOptions } from "../../src/config/options.ts";
import { resolvePool } from "../../src/config/resolve.ts";
import type { UpstreamAddress } from "../../src/config/resolved.ts";
import { type Runtime, resolveRuntime } from "../../src/runtime/runtime.ts";
import { Connector } from "../../src/transport/connector.ts";
import type { TransportSettings } from "../../src/transport/create-transport.ts";
import { Http1Transport } from "../../src/transport/http1/http1-transport.ts";
import type {
  Exchange,
  ExchangeFailure,
  ExchangeHandler,
  RequestHead,
  Transport,
} from "../../src/transport/transport.ts";
import { Conditions } from "./conditions.ts";

/** What an upstream at a port of 127.0.0.1 is reached by. */
export function plainAddress(port: number): UpstreamAddress {
  return { tls: false, hostname: "127.0.0.1", port, socketPath: undefined, host: `127.0.0.1:${port}`, basePath: "" };
}

/** A pool's settings, the defaults where nothing is said. */
export function transportSettings(
  options: Pick<PoolOptions, "connections" | "timeouts" | "tls"> = {},
): TransportSettings {
  // Each value of http2 needs an upstream that it applies to.
  return resolvePool({ upstreams: ["http://127.0.0.1:1", "https://127.0.0.1:2"], ...options });
}

export interface TestTransportOptions extends Pick<PoolOptions, "connections" | "timeouts" | "tls"> {
  readonly address?: Partial<UpstreamAddress>;
  readonly runtime?: Partial<Runtime>;
  readonly connector?: Connector;
}

/** The connections to the upstream at a port. Gone when the test is over. */
export function transportTo(
  port: number,
  { address, runtime, connector, ...options }: TestTransportOptions = {},
): Http1Transport {
  const transport = new Http1Transport(
    { ...plainAddress(port), ...address },
    transportSettings(options),
    resolveRuntime(runtime),
    connector ?? new Connector(runtime),
  );
  onTestFinished(() => transport.destroy());
  return transport;
}

/** What was done against the order of calls that a handler may rely on, since the test began. */
const violations: string[] = [];
let checked = false;

/** Has the violations of a test checked when it is over. */
function checkOrder(): void {
  if (checked) return;
  checked = true;
  onTestFinished(() => {
    checked = false;
    expect(violations.splice(0)).toEqual([]);
  });
}

export interface Ask extends Partial<RequestHead> {
  /** Sent at once when the connection stands, and ended unless `bodyLength` promises more. */
  readonly body?: string | Uint8Array | readonly (string | Uint8Array)[];
  /** Called with each piece of the body; what it returns is what the connection is told. */
  readonly onData?: (chunk: Buffer) => boolean;
}

/** Sends a request and records whatever comes of it. */
export function ask(transport: Transport, path: string, options: Ask = {}): Recording {
  checkOrder();
  return new Recording(transport, path, options);
}

/** One exchange as its handler sees it. */
export class Recording implements ExchangeHandler {
  readonly exchange: Exchange;
  connectMs: number | undefined;
  informations: [number, readonly string[]][] = [];
  status = 0;
  statusText = "";
  headers: readonly string[] = [];
  length: number | undefined;
  trailers: readonly string[] = [];
  failure: ExchangeFailure | undefined;
  flushes = 0;
  drains = 0;
  readonly #chunks: Buffer[] = [];
  readonly #options: Ask;
  readonly #conditions = new Conditions();
  #phase: "waiting" | "connected" | "responding" | "complete" | "failed" = "waiting";
  #dispatching = true;

  constructor(transport: Transport, path: string, options: Ask) {
    const { body: _body, onData: _onData, ...head } = options;
    this.#options = options;
    const common = { method: "GET", path, headers: ["Host", "a"], headersTimeoutMs: 0, freshConnection: false };
    this.exchange = transport.dispatch({ ...common, bodyLength: sizeOf(this.#pieces()), ...head }, this);
    this.#dispatching = false;
  }

  get phase(): string {
    return this.#phase;
  }

  /** In Latin-1. */
  get body(): string {
    return Buffer.concat(this.#chunks).toString("latin1");
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  get over(): boolean {
    return this.#phase === "complete" || this.#phase === "failed";
  }

  /** Resolves at the one end there is. */
  ended(): Promise<this> {
    return this.until(() => this.over);
  }

  /** Resolves as soon as the condition holds; it is looked at after each call. */
  async until(condition: () => boolean): Promise<this> {
    await this.#conditions.until(condition);
    return this;
  }

  onConnected(exchange: Exchange, connectMs: number | undefined): void {
    this.#step("onConnected", ["waiting"]);
    this.#phase = "connected";
    this.connectMs = connectMs;
    const pieces = this.#pieces();
    const total = sizeOf(pieces);
    for (const piece of pieces) exchange.write(piece);
    const { body, bodyLength = total } = this.#options;
    if (body !== undefined && bodyLength !== 0 && (bodyLength === -1 || bodyLength === total)) exchange.end();
    this.#conditions.check();
  }

  onInformation(status: number, headers: readonly string[]): void {
    this.#step("onInformation", ["connected"]);
    this.informations.push([status, headers]);
    this.#conditions.check();
  }

  onResponse(status: number, statusText: string, headers: string[], length: number): void {
    this.#step("onResponse", ["connected"]);
    this.#phase = "responding";
    Object.assign(this, { status, statusText, headers, length });
    this.#conditions.check();
  }

  onData(chunk: Buffer): boolean {
    this.#step("onData", ["responding"]);
    this.#chunks.push(Buffer.from(chunk));
    const more = this.#options.onData?.(chunk) ?? true;
    this.#conditions.check();
    return more;
  }

  onFlush(): void {
    this.#step("onFlush", ["responding"]);
    this.flushes++;
    this.#conditions.check();
  }

  onComplete(trailers: readonly string[]): void {
    this.#step("onComplete", ["responding"]);
    this.#phase = "complete";
    this.trailers = trailers;
    this.#conditions.check();
  }

  onFailure(failure: ExchangeFailure): void {
    this.#step("onFailure", ["waiting", "connected", "responding"]);
    this.#phase = "failed";
    this.failure = failure;
    this.#conditions.check();
  }

  onDrain(): void {
    this.#step("onDrain", ["connected", "responding"]);
    this.drains++;
    this.#conditions.check();
  }

  #pieces(): Uint8Array[] {
    const { body = [] } = this.#options;
    const list = typeof body === "string" || body instanceof Uint8Array ? [body] : body;
    return list.map((piece) => (typeof piece === "string" ? Buffer.from(piece, "latin1") : piece));
  }

  #step(call: string, allowed: readonly string[]): void {
    if (this.#dispatching) violations.push(`${call} during dispatch`);
    if (!allowed.includes(this.#phase)) violations.push(`${call} while ${this.#phase}`);
  }
}

function sizeOf(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, { length }) => sum + length, 0);
}

/** Resolves when a socket is gone. */
export function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed) resolve();
    else socket.once("close", () => resolve());
  });
}
