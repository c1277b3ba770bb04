import type { ErrorCode } from "../../errors.ts";
import type { DecodedFields } from "../../http2/hpack/decoder.ts";
import { errorCode } from "../../http2/protocol.ts";
import type { Ticker, Timed } from "../../runtime/ticker.ts";
import type { RequestSink } from "../server/request-sink.ts";
import { Http2ServerExchange, type StreamHead } from "./http2-server-exchange.ts";
import { readRequestFields } from "./request-fields.ts";
import type { StreamHost } from "./stream-host.ts";
import { WebSocketExchange } from "./web-socket-exchange.ts";

/** How a stream begins, beside its fields. */
export interface StreamBegin {
  readonly endStream: boolean;
  readonly sendWindowBytes: number;
  /** Its frames are malformed. */
  readonly fault: string | undefined;
}

/** What the fields of a request make of it, and the code that it has to be refused with. */
type Kind = "request" | "handshake" | "malformed";

/** A request that was read. */
export interface OpenedRequest {
  readonly exchange: Http2ServerExchange;
  readonly kind: Kind;
  readonly code: ErrorCode | undefined;
  /** Its body announces no bytes, but its end is to come. */
  readonly awaitsEnd: boolean;
}

/** Makes exchanges of header blocks, and hands them over to the sink. */
export class RequestOpener {
  readonly #host: StreamHost;
  readonly #sink: RequestSink;

  constructor(host: StreamHost, sink: RequestSink) {
    this.#host = host;
    this.#sink = sink;
  }

  read(streamId: number, { fields, tooLarge }: DecodedFields, begin: StreamBegin): OpenedRequest {
    const { endStream, sendWindowBytes } = begin;
    const request = readRequestFields(fields);
    const { method, target, rawHeaders, length, protocol } = request;
    const bodyFollows = !endStream;
    const head: StreamHead = { method, target, rawHeaders, length, endStream, sendWindowBytes, bodyFollows };
    if (tooLarge) {
      // Fields beyond the limit were dropped. The path is among the first ones: without it, it was the path that is too long.
      const code = target === "" ? "uri_too_long" : "headers_too_large";
      const exchange = new Http2ServerExchange(this.#host, streamId, { ...head, length: -1 });
      return { exchange, kind: "malformed", code, awaitsEnd: false };
    }
    const isShort = endStream && length > 0;
    if (begin.fault !== undefined || request.fault !== undefined || isShort) {
      const exchange = new Http2ServerExchange(this.#host, streamId, head);
      exchange.onMalformed("bad_request", errorCode.protocolError);
      return { exchange, kind: "malformed", code: "bad_request", awaitsEnd: false };
    }
    if (protocol === "websocket") {
      const exchange = new WebSocketExchange(this.#host, streamId, head);
      return { exchange, kind: "handshake", code: undefined, awaitsEnd: false };
    }
    const exchange = new Http2ServerExchange(this.#host, streamId, head);
    const code = protocol === undefined ? undefined : "not_implemented";
    return { exchange, kind: "request", code, awaitsEnd: length === 0 && !endStream };
  }

  /** Hands a request over. `refusal`: the code that all requests of the connection are refused with. */
  open({ exchange, kind, code, awaitsEnd }: OpenedRequest, refusal: ErrorCode | undefined): void {
    if (kind === "malformed") this.#sink.onMalformed(exchange, code ?? "bad_request");
    else if (kind === "handshake") this.#sink.onHandshake(exchange, refusal);
    // Without its end it could still become malformed, and its forwarding could not be undone.
    else if (awaitsEnd) this.#awaitEnd(exchange, refusal ?? code);
    else this.#sink.onRequest(exchange, refusal ?? code);
  }

  #awaitEnd(exchange: Http2ServerExchange, refusal: ErrorCode | undefined): void {
    const end = new AwaitedEnd(this.#host, () => this.#sink.onMalformed(exchange, "request_timeout"));
    exchange.whenComplete((open) => {
      if (end.stop() && open) this.#sink.onRequest(exchange, refusal);
    });
  }
}

/** The time until the end of a request whose forwarding waits for it. */
class AwaitedEnd implements Timed {
  deadline: number;
  readonly #ticker: Ticker;
  readonly #onTimeout: () => void;

  constructor({ clock, ticker, headMs }: StreamHost, onTimeout: () => void) {
    this.deadline = headMs > 0 ? clock.now() + headMs : Infinity;
    this.#ticker = ticker;
    this.#onTimeout = onTimeout;
    ticker.watch(this);
  }

  /** False if the time was over before. */
  stop(): boolean {
    this.#ticker.forget(this);
    return this.deadline !== 0;
  }

  onDeadline(): void {
    this.deadline = 0;
    this.#ticker.forget(this);
    this.#onTimeout();
  }
}
