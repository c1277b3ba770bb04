import { limits } from "../../config/defaults.ts";
import type { ErrorCode } from "../../errors.ts";
import type { DecodedFields } from "../../http2/hpack/decoder.ts";
import { errorCode, Http2Error } from "../../http2/protocol.ts";
import { ResetBudget } from "../../http2/reset-budget.ts";
import { PeerSettings } from "../../http2/settings.ts";
import type { RequestSink } from "../server/request-sink.ts";
import type { InputHost } from "./connection-input.ts";
import type { ConnectionStreams } from "./connection-streams.ts";
import type { Http2ServerExchange } from "./http2-server-exchange.ts";
import { faultOfTrailers } from "./request-fields.ts";
import { RequestOpener } from "./request-opener.ts";
import type { StreamHost } from "./stream-host.ts";

/** The connection of the streams. */
export interface FramesOwner extends StreamHost {
  readonly refusal: ErrorCode | undefined;
  /** New streams are accepted. */
  readonly accepting: boolean;
  /** A request was received. */
  onRequest(): void;
  /** No stream is open any more. */
  onIdle(): void;
  onPingAck(payload: Buffer): void;
  onGoaway(): void;
}

/** What the frames of a client do to the streams of its connection. Throws an `Http2Error` that ends the connection. */
export class StreamFrames implements InputHost {
  readonly #owner: FramesOwner;
  readonly #streams: ConnectionStreams;
  readonly #maxStreams: number;
  readonly #peer = new PeerSettings("client");
  readonly #opener: RequestOpener;
  readonly #abandoned: ResetBudget;

  constructor(owner: FramesOwner, streams: ConnectionStreams, sink: RequestSink, maxStreams: number) {
    this.#owner = owner;
    this.#streams = streams;
    this.#maxStreams = maxStreams;
    this.#opener = new RequestOpener(owner, sink);
    this.#abandoned = new ResetBudget(owner.clock, {
      burst: limits.http2AbandonedStreams,
      perSecond: limits.http2AbandonedStreamsPerSecond,
    });
  }

  stream(id: number): Http2ServerExchange | undefined {
    return this.#streams.get(id);
  }

  isIdle(id: number): boolean {
    return id > this.#streams.lastId || id % 2 === 0;
  }

  onHeaders(streamId: number, decoded: DecodedFields, endStream: boolean, fault: string | undefined): void {
    const stream = this.#streams.get(streamId);
    if (stream !== undefined) return this.#onTrailers(stream, decoded, endStream, fault);
    this.#streams.lastId = streamId;
    // A client that has received the last GOAWAY sends the request again elsewhere.
    if (!this.#owner.accepting) return this.#streams.remember(streamId, "reset");
    if (this.#streams.size >= this.#maxStreams) return this.#refuse(streamId);
    const { initialWindowBytes: sendWindowBytes } = this.#peer;
    const request = this.#opener.read(streamId, decoded, { endStream, sendWindowBytes, fault });
    this.#streams.add(request.exchange);
    this.#owner.onRequest();
    this.#opener.open(request, this.#owner.refusal);
    if (request.kind === "malformed") this.#countAbandoned();
  }

  #onTrailers(
    stream: Http2ServerExchange,
    { fields, tooLarge }: DecodedFields,
    endStream: boolean,
    fault: string | undefined,
  ): void {
    if (fault !== undefined || !endStream || tooLarge || faultOfTrailers(fields) !== undefined) {
      stream.onMalformed("bad_request", errorCode.protocolError);
    } else stream.onRequestEnd();
  }

  /** The request is not started, and may be sent again. */
  #refuse(streamId: number): void {
    this.#streams.remember(streamId, "reset");
    this.#owner.output.reset(streamId, errorCode.refusedStream);
    this.#countAbandoned();
  }

  /** A frame on a closed stream (RFC 9113 section 5.1). */
  onStray(streamId: number, what: "DATA" | "HEADERS"): void {
    const end = this.#streams.endOf(streamId);
    // It was on its way when we reset the stream.
    if (end === "reset") return;
    if (end === undefined && what === "HEADERS") {
      throw new Http2Error(errorCode.protocolError, "a stream with a lower number than an earlier one");
    }
    if (end !== "cancelled") throw new Http2Error(errorCode.streamClosed, `${what} on a closed stream`);
    this.#owner.output.reset(streamId, errorCode.streamClosed);
    this.#countAbandoned();
  }

  onReset(streamId: number): void {
    this.#streams.close(streamId, "cancelled")?.onAborted();
    this.#countAbandoned();
  }

  onStreamError(error: Http2Error): void {
    const stream = this.#streams.close(error.streamId, "reset");
    // A stream that is not open cannot be reset.
    if (stream === undefined) throw error;
    this.#owner.output.reset(error.streamId, error.code);
    stream.onAborted();
    this.#countAbandoned();
  }

  onSettings(payload: Buffer): void {
    const { output } = this.#owner;
    const before = this.#peer.initialWindowBytes;
    this.#peer.apply(payload);
    output.resizeTable(this.#peer.leastHeaderTableBytes);
    output.resizeTable(this.#peer.headerTableBytes);
    output.settingsAck();
    const change = this.#peer.initialWindowBytes - before;
    if (change !== 0) for (const { sendWindow } of this.#streams.all()) sendWindow.shift(change);
    if (change > 0) output.pump();
  }

  onPing(payload: Buffer, ack: boolean): void {
    if (ack) this.#owner.onPingAck(payload);
    else this.#owner.output.ping(payload, true);
  }

  onGoaway(): void {
    this.#owner.onGoaway();
  }

  onWindowUpdate(streamId: number, increment: number): void {
    if (streamId === 0) return this.#owner.output.onWindowUpdate(increment);
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return;
    stream.sendWindow.increase(increment);
    this.#owner.output.pump();
  }

  sendWindowUpdate(increment: number): void {
    this.#owner.output.windowUpdate(0, increment);
  }

  /** A response was sent. */
  onResponded(): void {
    this.#abandoned.earn();
  }

  /** Counts a stream that the client has made end without a response. */
  #countAbandoned(): void {
    if (this.#streams.size === 0) this.#owner.onIdle();
    if (this.#abandoned.spend()) return;
    throw new Http2Error(errorCode.enhanceYourCalm, "streams that are opened and abandoned");
  }
}
