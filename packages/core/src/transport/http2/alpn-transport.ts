import { limits } from "../../config/defaults.ts";
import type { UpstreamAddress } from "../../config/resolved.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import type { SocketOpener } from "../connector.ts";
import type { TransportSettings } from "../create-transport.ts";
import { FailureListener } from "../failure-listener.ts";
import { Http1Transport } from "../http1/http1-transport.ts";
import type {
  ConnectionUse,
  Exchange,
  ExchangeFailure,
  ExchangeHandler,
  RequestHead,
  Transport,
} from "../transport.ts";
import type { OpenedSocket } from "./dial.ts";
import type { Http2Exchange } from "./http2-exchange.ts";
import { Http2Transport } from "./http2-transport.ts";

/**
 * Uses the protocol that an https upstream chooses by ALPN. No connection is wasted: if the upstream chooses HTTP/1.1, the
 * connection carries the exchange that has waited longest.
 *
 * While there are HTTP/1.1 connections, further ones offer HTTP/1.1 only. After `limits.alpnMemoryMs` one offers HTTP/2 again,
 * since upstreams change.
 */
export class AlpnTransport implements Transport {
  readonly #http1: Http1Transport;
  readonly #http2: Http2Transport;
  readonly #runtime: Runtime;
  #http1Until = -Infinity;
  /** The upstream has refused requests over HTTP/2 with HTTP_1_1_REQUIRED. */
  #http1Required = false;
  /** Until then HTTP_1_1_REQUIRED is ignored, since the upstream has refused HTTP/1.1 too: other requests use HTTP/2. */
  #http1RefusedUntil = -Infinity;

  constructor(address: UpstreamAddress, settings: TransportSettings, runtime: Runtime, connector: SocketOpener) {
    this.#runtime = runtime;
    this.#http1 = new Http1Transport(address, settings, runtime, connector);
    this.#http2 = new Http2Transport(address, settings, runtime, connector, {
      onHttp1: (opened, waiting) => this.#onHttp1(opened, waiting),
      onHttp1Required: () => this.#onHttp1Required(),
    });
  }

  dispatch(head: RequestHead, handler: ExchangeHandler): Exchange {
    if (!this.#prefersHttp1()) return this.#http2.dispatch(head, handler);
    if (!this.#http1Required || this.#http1.size > 0) return this.#http1.dispatch(head, handler);
    return this.#http1.dispatch(head, new FailureListener(handler, this.#onHttp1Failed));
  }

  get connectionUse(): ConnectionUse {
    const { connectionUse: one } = this.#http1;
    const { connectionUse: two } = this.#http2;
    return { open: one.open + two.open, wanted: one.wanted + two.wanted };
  }

  limitConnections(max: number, onShort: () => void): void {
    this.#http1.limitConnections(max, onShort);
    this.#http2.limitConnections(max, onShort);
  }

  close(): void {
    this.#http1.close();
    this.#http2.close();
  }

  destroy(): void {
    this.#http1.destroy();
    this.#http2.destroy();
  }

  #prefersHttp1(): boolean {
    if (this.#http1Until === -Infinity) return false;
    if (!this.#http1Required && this.#http1.size === 0) return false;
    const now = this.#runtime.clock.now();
    if (now < this.#http1Until) return true;
    if (this.#http1.full) return true;
    // This exchange offers HTTP/2 again; the others do not wait for the result.
    this.#http1Required = false;
    this.#http1Until = now + limits.alpnMemoryMs;
    return false;
  }

  #onHttp1Required(): void {
    const now = this.#runtime.clock.now();
    if (now < this.#http1RefusedUntil) return;
    this.#http1Required = true;
    this.#http1Until = now + limits.alpnMemoryMs;
  }

  /** A handshake that offered only HTTP/1.1 has failed, unlike one that offered HTTP/2. */
  readonly #onHttp1Failed = ({ code }: ExchangeFailure): void => {
    if (code !== "tls_failed" || !this.#http1Required) return;
    this.#http1Required = false;
    this.#http1Until = -Infinity;
    this.#http1RefusedUntil = this.#runtime.clock.now() + limits.alpnMemoryMs;
  };

  #onHttp1(opened: OpenedSocket, waiting: readonly Http2Exchange[]): void {
    this.#http1Until = this.#runtime.clock.now() + limits.alpnMemoryMs;
    const [first, ...others] = waiting;
    // All waiting exchanges have been aborted.
    if (first === undefined) return void opened.socket.destroy();
    first.continueAs(this.#http1.dispatchOn(opened, first.head, first.handler));
    for (const exchange of others) exchange.continueAs(this.#http1.dispatch(exchange.head, exchange.handler));
  }
}
