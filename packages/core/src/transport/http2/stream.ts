import { STATUS_CODES } from "node:http";
import { limits } from "../../config/defaults.ts";
import type { ErrorCode } from "../../errors.ts";
import { SendWindow } from "../../http2/flow-window.ts";
import type { DecodedFields } from "../../http2/hpack/decoder.ts";
import { errorCode, errorName } from "../../http2/protocol.ts";
import type { Timed } from "../../runtime/ticker.ts";
import { TransportError } from "../transport-error.ts";
import { Download } from "./download.ts";
import type { Http2Exchange } from "./http2-exchange.ts";
import { type Http2ResponseHead, readResponseFields, readTrailerFields } from "./response-fields.ts";
import type { StreamHost } from "./session-roles.ts";
import { Upload, type UploadOwner } from "./upload.ts";

/** One stream: a request that has been sent, and its response (RFC 9113 sections 5.1 and 8.1). */
export class Http2Stream implements Timed, UploadOwner {
  deadline: number = Infinity;
  readonly id: number;
  readonly exchange: Http2Exchange;
  readonly upload: Upload;
  /** The number of frames that the connection had received when the stream was opened. */
  readonly openedAfter: number;
  readonly #host: StreamHost;
  readonly #download: Download;
  #head: Http2ResponseHead | undefined;
  #informational = 0;
  #flushed = false;
  #over = false;

  constructor(
    host: StreamHost,
    exchange: Http2Exchange,
    options: { readonly id: number; readonly sendWindowBytes: number; readonly openedAfter: number },
  ) {
    this.#host = host;
    this.exchange = exchange;
    this.id = options.id;
    this.openedAfter = options.openedAfter;
    this.#download = new Download(options.id);
    this.upload = new Upload({
      streamId: options.id,
      window: new SendWindow(options.sendWindowBytes, options.id),
      output: host.output,
      owner: this,
      length: exchange.head.bodyLength,
    });
    host.ticker.watch(this);
    this.#touch();
  }

  get over(): boolean {
    return this.#over;
  }

  // The request.

  write(chunk: Uint8Array): boolean {
    if (this.#over) return true;
    try {
      return this.upload.write(chunk);
    } catch (error) {
      this.fail(TransportError.from(error), errorCode.internalError);
      return true;
    } finally {
      this.#touch();
    }
  }

  end(): void {
    if (this.#over) return;
    try {
      this.upload.end();
    } catch (error) {
      this.fail(TransportError.from(error), errorCode.internalError);
    }
    this.#touch();
  }

  /** The upstream accepts more of the request body. Throws an `Http2Error` for an increment out of range. */
  onWindowUpdate(increment: number): void {
    this.upload.window.increase(increment);
    this.#host.output.pump();
  }

  onUploadDrain(): void {
    if (!this.#over) this.exchange.handler.onDrain();
  }

  onUploadProgress(): void {
    this.#touch();
  }

  /** The exchange has been aborted. */
  cancel(): void {
    this.#end(errorCode.cancel);
  }

  // The response.

  onFields({ fields, tooLarge }: DecodedFields, endStream: boolean): void {
    try {
      if (tooLarge) throw new TransportError("response_headers_too_large", "the head is too large");
      if (this.#head !== undefined) this.#onTrailers(fields, endStream);
      else this.#onHead(readResponseFields(fields, this.exchange.head.method), endStream);
    } catch (error) {
      this.fail(TransportError.from(error), errorCode.protocolError);
    }
  }

  #onHead(head: Http2ResponseHead, endStream: boolean): void {
    const { handler } = this.exchange;
    if (head.status < 200) return this.#onInformation(head, endStream);
    if (endStream && head.length > 0) throw new TransportError("invalid_response", "a Content-Length without a body");
    this.#head = head;
    this.#touch();
    handler.onResponse(head.status, STATUS_CODES[head.status] ?? "", head.headers, endStream ? 0 : head.length);
    if (endStream) this.#complete([]);
  }

  #onInformation({ status, headers }: Http2ResponseHead, endStream: boolean): void {
    if (endStream) throw new TransportError("invalid_response", "an informational response that ends the stream");
    if (++this.#informational > limits.informationalResponses) {
      throw new TransportError("invalid_response", "too many informational responses");
    }
    if (status !== 100) this.exchange.handler.onInformation(status, headers);
  }

  #onTrailers(fields: readonly string[], endStream: boolean): void {
    if (!endStream) throw new TransportError("invalid_response", "a second head");
    const trailers = readTrailerFields(fields);
    this.#checkEnd();
    this.#complete(trailers);
  }

  /** A DATA frame begins, of `length` bytes with padding. Throws an `Http2Error` if it exceeds the window. */
  onData(length: number): void {
    this.#download.reserve(length);
    if (this.#over) return;
    if (this.#head === undefined)
      this.fail(new TransportError("invalid_response", "data before a head"), errorCode.protocolError);
  }

  onBytes(bytes: Buffer): void {
    const head = this.#head;
    if (this.#over || head === undefined) return;
    this.#download.count(bytes.length);
    if (head.bodiless || (head.length >= 0 && this.#download.received > head.length)) {
      // The handler may have passed on what came before the last flush: then the response counts as one that broke off.
      const code = this.#flushed ? "response_truncated" : "invalid_response";
      this.#failWith(code, new TransportError(code, "more data than announced"));
      return this.#end(errorCode.protocolError);
    }
    try {
      if (!this.exchange.handler.onData(bytes)) this.#download.pause();
    } catch (error) {
      this.fail(TransportError.from(error), errorCode.internalError);
    }
  }

  onDataEnd(length: number, endStream: boolean): void {
    if (this.#over) return;
    if (!endStream) return this.#release(length);
    try {
      this.#checkEnd();
    } catch (error) {
      return this.fail(TransportError.from(error), errorCode.protocolError);
    }
    this.#complete([]);
  }

  /** The handler has received everything that has arrived so far. */
  onFlush(): void {
    if (this.#over || this.#head === undefined) return;
    this.#flushed = true;
    this.#touch();
    this.exchange.handler.onFlush();
  }

  resume(): void {
    if (this.#over || !this.#download.paused) return;
    this.#download.resume();
    this.#touch();
    this.#release(0);
  }

  #release(length: number): void {
    const increment = this.#download.release(length);
    if (increment > 0) this.#host.output.windowUpdate(this.id, increment);
  }

  /** A server whose backend dies ends the stream early: that is a body that broke off, not a malformed response. */
  #checkEnd(): void {
    const length = this.#head?.length ?? -1;
    if (length < 0 || this.#download.received === length) return;
    throw new TransportError("response_truncated", "fewer bytes than announced");
  }

  /**
   * END_STREAM alone completes a response (RFC 9113 section 8.1). The rest of the request is not sent: the stream is reset
   * with NO_ERROR.
   */
  #complete(trailers: readonly string[]): void {
    if (this.#over) return;
    const { exchange, upload } = this;
    exchange.finish();
    this.#end(upload.done ? undefined : errorCode.noError);
    exchange.handler.onComplete(trailers);
  }

  // Ends.

  /** The upstream has reset the stream. */
  onReset(code: number): void {
    if (code === errorCode.http11Required) this.#host.onHttp1Required();
    if (code === errorCode.refusedStream || code === errorCode.http11Required) {
      return this.refuse(errorName(code), this.#host.served || code === errorCode.http11Required);
    }
    this.#fail(
      this.#head === undefined ? "reset" : "response_truncated",
      `the upstream reset the stream: ${errorName(code)}`,
    );
  }

  /**
   * The upstream has not processed the request (RFC 9113 section 8.7). `isClosing`: the reason is the end of the connection,
   * which like that of a stale connection is no failure of the upstream.
   */
  refuse(reason: string, isClosing: boolean): void {
    if (this.#over) return;
    if (this.#head !== undefined) return this.#fail("response_truncated", reason);
    const cause = new TransportError("reset", `the upstream has not processed the request: ${reason}`);
    this.exchange.fail({ code: "reset", cause, reused: isClosing, sent: false });
    this.#end(undefined);
  }

  /** Fails the exchange and resets the stream. A fault behind the head counts as a body that broke off. */
  fail(error: TransportError, reset: number | undefined): void {
    if (this.#over) return;
    const broken = this.#head !== undefined && error.code === "invalid_response";
    this.#failWith(broken ? "response_truncated" : error.code, error);
    this.#end(reset);
  }

  /** The connection is lost, or its peer has violated the protocol. */
  onConnectionLost(error: TransportError): void {
    if (this.#over) return;
    const { code } = error;
    const broken = this.#head !== undefined && (code === "invalid_response" || code === "reset");
    this.#failWith(broken ? "response_truncated" : code, error);
    this.#end(undefined);
  }

  onDeadline(): void {
    const code = this.#head === undefined ? "headers_timeout" : "response_idle_timeout";
    const reason = this.#head === undefined ? "no response headers in time" : "the upstream sent nothing for too long";
    this.#host.onStreamTimeout();
    this.fail(new TransportError(code, reason), errorCode.cancel);
  }

  #fail(code: ErrorCode, reason: string): void {
    if (this.#over) return;
    this.#failWith(code, new TransportError(code, reason));
    this.#end(undefined);
  }

  #failWith(code: ErrorCode, cause: TransportError): void {
    this.exchange.fail({ code, cause, reused: this.#host.isStale(this), sent: true });
  }

  #end(reset: number | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.deadline = Infinity;
    this.upload.abandon();
    this.#host.ticker.forget(this);
    this.#host.onStreamOver(this, reset);
  }

  /** Moves the deadline on progress. There is none while the client holds up the exchange: that is no failure of the upstream. */
  #touch(): void {
    if (this.#over) return;
    const { clock, timeouts } = this.#host;
    if (this.#head !== undefined) {
      const limited = !this.#download.paused && timeouts.idleMs > 0 && !this.#head.mayPause;
      this.deadline = limited ? clock.now() + timeouts.idleMs : Infinity;
    } else if (this.upload.done || this.upload.blocked) {
      const own = this.exchange.head.headersTimeoutMs;
      this.deadline = clock.now() + (own > 0 ? Math.min(own, timeouts.headersMs) : timeouts.headersMs);
    } else {
      this.deadline = Infinity;
    }
  }
}
