import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { UpstreamAddress } from "../../config/resolved.ts";
import type { ErrorCode } from "../../errors.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Ticker, Timed } from "../../runtime/ticker.ts";
import { connectTimeoutError, readyEvent, type SocketOpener } from "../connector.ts";
import type { TransportSettings } from "../create-transport.ts";
import { connectFailureCode } from "../failure-codes.ts";
import type { TransportError } from "../transport-error.ts";
import type { Http2Exchange } from "./http2-exchange.ts";

/** The protocol that the upstream has chosen by ALPN, or HTTP/2 with prior knowledge where there is no TLS. */
export type Protocol = "h2" | "http/1.1";

/** An open connection that has carried nothing. */
export interface OpenedSocket {
  readonly socket: Socket;
  readonly protocol: Protocol;
  readonly openedAt: number;
  readonly connectMs: number;
  /** Sets the receiver of bytes, which are valid during its call only. To be called in the turn in which the socket opened. */
  readFrom(onBytes: (bytes: Buffer) => void): void;
}

export interface DialOwner {
  onOpened(dial: Dial, opened: OpenedSocket): void;
  onDialFailed(dial: Dial, code: ErrorCode, cause: unknown): void;
}

/** Handles connections and upstreams that do not use HTTP/2. */
export interface Http1Fallback {
  /** The upstream has chosen HTTP/1.1 on a connection for which these exchanges wait. */
  readonly onHttp1: (opened: OpenedSocket, waiting: readonly Http2Exchange[]) => void;
  /** The upstream has sent HTTP_1_1_REQUIRED. */
  readonly onHttp1Required: () => void;
}

/** In the order of preference. */
const alpn = ["h2", "http/1.1"];

/** Opens one connection to an upstream, including TLS and ALPN. Calls its owner exactly once, never during construction. */
export class Dial implements Timed {
  deadline: number;
  readonly #owner: DialOwner;
  readonly #ticker: Ticker;
  readonly #clock: Clock;
  readonly #tls: boolean;
  readonly #startedAt: number;
  #socket: Socket | undefined;
  #onBytes: (bytes: Buffer) => void = () => {};
  #over = false;

  constructor(
    address: UpstreamAddress,
    settings: TransportSettings,
    options: {
      readonly owner: DialOwner;
      readonly connector: SocketOpener;
      readonly ticker: Ticker;
      readonly clock: Clock;
    },
  ) {
    this.#owner = options.owner;
    this.#ticker = options.ticker;
    this.#clock = options.clock;
    this.#tls = address.tls;
    this.#startedAt = options.clock.now();
    this.deadline = this.#startedAt + settings.timeouts.connectMs;
    this.#ticker.watch(this);
    try {
      const onBytes = (bytes: Buffer) => this.#onBytes(bytes);
      const socket = options.connector.open(address, settings.tls, { alpn, onBytes });
      this.#socket = socket;
      socket.once(readyEvent(address), this.#onReady);
      socket.once("error", this.#onError);
      socket.once("close", this.#onClose);
    } catch (error) {
      queueMicrotask(() => this.#fail(connectFailureCode(error, address.tls), error));
    }
  }

  onDeadline(): void {
    const error = this.timeoutError();
    this.#fail(error.code, error);
  }

  /** Returns why the connection is not open, once it has taken too long. */
  timeoutError(): TransportError {
    return connectTimeoutError(this.#socket);
  }

  /** Aborts without another call of the owner. */
  destroy(): void {
    this.#end();
    this.#socket?.destroy();
  }

  readonly #onReady = (): void => {
    const socket = this.#socket as Socket;
    this.#end();
    const protocol = this.#tls && (socket as TLSSocket).alpnProtocol !== "h2" ? "http/1.1" : "h2";
    const openedAt = this.#clock.now();
    this.#owner.onOpened(this, {
      socket,
      protocol,
      openedAt,
      connectMs: openedAt - this.#startedAt,
      readFrom: (onBytes) => {
        this.#onBytes = onBytes;
      },
    });
  };

  readonly #onError = (error: Error): void => this.#fail(connectFailureCode(error, this.#tls), error);

  readonly #onClose = (): void => {
    this.#fail(connectFailureCode(undefined, this.#tls), new Error("the connection was closed"));
  };

  #fail(code: ErrorCode, cause: unknown): void {
    if (this.#over) return;
    this.destroy();
    this.#owner.onDialFailed(this, code, cause);
  }

  #end(): void {
    this.#over = true;
    this.#ticker.forget(this);
    const socket = this.#socket;
    if (socket === undefined) return;
    socket.removeListener("secureConnect", this.#onReady).removeListener("connect", this.#onReady);
    socket.removeListener("error", this.#onError).removeListener("close", this.#onClose);
    // Errors of an abandoned socket are ignored. The owner of a socket in use adds its own listener.
    socket.on("error", () => {});
  }
}
