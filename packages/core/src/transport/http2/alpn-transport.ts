import { limits } from "../../config/defaults.ts";
import type { UpstreamAddress } from "../../config/resolved.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import type { SocketOpener } from "../connector.ts";
import type { TransportSettings } from "../create-transport.ts";
import { FailureListener } from "../failure-listener.ts";
import { Http1Transport } from "../http1/http1-transport.ts";
import type { Exchange, ExchangeFailure, ExchangeHandler, RequestHead, Transport } from "../transport.ts";
import type { OpenedSocket } from "./dial.ts";
import type { Http2Exchange } from "./http2-exchange.ts";
import { Http2Transport } from "./http2-transport.ts";

/**
 * Speaks to an https upstream in the protocol that it chooses. Each connection that offers a choice is used, whatever the
 * upstream chooses: over HTTP/1.1 it carries the exchange that has waited longest.
 *
 * While there are connections over HTTP/1.1, further ones are opened for that alone, and now and then one that offers HTTP/2
 * again, since upstreams change.
 */
export class AlpnTransport implements Transport {
  readonly #http1: Http1Transport;
  readonly #http2: Http2Transport;
  readonly #runtime: Runtime;
  #http1Until = -Infinity;
  /** The upstream has refused to serve requests over HTTP/2. */
  #http1Required = false;
  /** It has refused HTTP/1.1 as well, and what it requires is ignored until then: its other requests go on over HTTP/2. */
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
    // This exchange asks again; the others need not wait for what comes of it.
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

  /** A handshake that offers HTTP/1.1 alone has failed, where one that offered HTTP/2 did not. */
  readonly #onHttp1Failed = ({ code }: ExchangeFailure): void => {
    if (code !== "tls_failed" || !this.#http1Required) return;
    this.#http1Required = false;
    this.#http1Until = -Infinity;
    this.#http1RefusedUntil = this.#runtime.clock.now() + limits.alpnMemoryMs;
  };

  #onHttp1(opened: OpenedSocket, waiting: readonly Http2Exchange[]): void {
    this.#http1Until = this.#runtime.clock.now() + limits.alpnMemoryMs;
    const [first, ...others] = waiting;
    // All that waited for it have given up.
    if (first === undefined) return void opened.socket.destroy();
    first.become(this.#http1.dispatchOn(opened, first.head, first.handler));
    for (const exchange of others) exchange.become(this.#http1.dispatch(exchange.head, exchange.handler));
  }
}
