import type { Socket } from "node:net";
import type { Clock } from "../../runtime/clock.ts";
import { type Ticker, type Timed, tickerOf } from "../../runtime/ticker.ts";
import { isHttp2Preface } from "./http2-preface.ts";
import { type ProxiedConnection, readProxyHeader } from "./proxy-protocol.ts";

/** The first byte of a TLS connection (RFC 8446 section 5.1). */
const handshakeRecord = 0x16;

/** What may precede HTTP on a connection. */
export interface OpeningSettings {
  /** A header of the PROXY protocol comes first. */
  readonly proxyHeader: boolean;
  /** Then comes a TLS handshake. */
  readonly tls: boolean;
  /** Without TLS, HTTP/2 is told from HTTP/1.1 by its preface. */
  readonly h2c: boolean;
  readonly timeoutMs: number;
}

/** What is known of a connection when HTTP begins. */
export interface Opened {
  readonly protocol: "tls" | "http1" | "http2";
  /** Bytes behind the PROXY header that were read. With TLS they are in the socket again. */
  readonly early: Buffer | undefined;
  readonly proxied: ProxiedConnection | undefined;
}

/** Why a connection has not come to HTTP. */
export type OpeningFailure = "proxy_header" | "plain_http" | "not_tls" | "closed" | "timeout";

export interface OpeningEvents {
  readonly opened: (opening: ConnectionOpening, opened: Opened) => void;
  /** The socket is left to the caller. */
  readonly failed: (opening: ConnectionOpening, why: OpeningFailure) => void;
}

/** Reads what precedes HTTP on an accepted socket, within a time limit. */
export class ConnectionOpening implements Timed {
  readonly socket: Socket;
  deadline: number;
  readonly #settings: OpeningSettings;
  readonly #events: OpeningEvents;
  readonly #ticker: Ticker;
  #received: Buffer | undefined;
  #proxied: ProxiedConnection | undefined;

  constructor(socket: Socket, settings: OpeningSettings, clock: Clock, events: OpeningEvents) {
    this.socket = socket;
    this.#settings = settings;
    this.#events = events;
    this.#ticker = tickerOf(clock);
    this.deadline = clock.now() + settings.timeoutMs;
    this.#ticker.watch(this);
    socket.on("data", this.#onData).on("end", this.#onEnd).on("close", this.#onEnd);
  }

  /** No byte was received. */
  get silent(): boolean {
    return this.#received === undefined;
  }

  /** A PROXY header has to come first and was not received. */
  get awaitsProxyHeader(): boolean {
    return this.#settings.proxyHeader && this.#proxied === undefined;
  }

  onDeadline(): void {
    this.#fail("timeout");
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#received = this.#received === undefined ? chunk : Buffer.concat([this.#received, chunk]);
    this.#read(this.#received);
  };

  readonly #onEnd = (): void => this.#fail("closed");

  #read(received: Buffer): void {
    const { proxyHeader, tls, h2c } = this.#settings;
    if (proxyHeader && this.#proxied === undefined) {
      const header = readProxyHeader(received);
      if (header === "incomplete") return;
      if (header === "malformed") return this.#fail("proxy_header");
      this.#proxied = header;
    }
    const rest = received.subarray(this.#proxied?.length ?? 0);
    if (tls) return this.#readTls(rest);
    const isHttp2 = h2c ? isHttp2Preface(rest) : false;
    if (isHttp2 !== undefined) this.#open(isHttp2 ? "http2" : "http1", rest);
  }

  #readTls(rest: Buffer): void {
    const [first] = rest;
    if (first === undefined) return;
    if (first !== handshakeRecord) return this.#fail(isText(first) ? "plain_http" : "not_tls");
    this.socket.pause();
    this.socket.unshift(rest);
    this.#open("tls", undefined);
  }

  #open(protocol: Opened["protocol"], rest: Buffer | undefined): void {
    this.#release();
    const early = rest !== undefined && rest.length > 0 ? rest : undefined;
    this.#events.opened(this, { protocol, early, proxied: this.#proxied });
  }

  #fail(why: OpeningFailure): void {
    this.#release();
    this.#events.failed(this, why);
  }

  #release(): void {
    this.#ticker.forget(this);
    this.socket.off("data", this.#onData).off("end", this.#onEnd).off("close", this.#onEnd);
  }
}

/** A request begins with a visible character. An empty line may precede it (RFC 9112 section 2.2). */
function isText(byte: number): boolean {
  return (byte > 0x20 && byte < 0x7f) || byte === 0x0d || byte === 0x0a;
}
