import type { Duplex } from "node:stream";
import { limits } from "../../config/defaults.ts";
import type { ErrorCode } from "../../errors.ts";
import { FrameBudget } from "../../http2/frame-budget.ts";
import { FrameReader } from "../../http2/frame-reader.ts";
import { clientPreface } from "../../http2/frame-writer.ts";
import { defaultWindowBytes, errorCode, Http2Error, maxStreamId } from "../../http2/protocol.ts";
import { setting } from "../../http2/settings.ts";
import type { Clock } from "../../runtime/clock.ts";
import { type Ticker, tickerOf } from "../../runtime/ticker.ts";
import type { ServerConnection, ServerConnectionOptions } from "../server/server-connection.ts";
import { ConnectionDeadlines, type DeadlineOwner } from "./connection-deadlines.ts";
import { ConnectionInput } from "./connection-input.ts";
import { ConnectionOutput, type OutputOwner } from "./connection-output.ts";
import { ConnectionStreams } from "./connection-streams.ts";
import { ExtraWindows } from "./incoming-body.ts";
import { type FramesOwner, StreamFrames } from "./stream-frames.ts";

/** `draining`: a GOAWAY without a last stream was sent. `retired`: no more streams are accepted. */
type State = "open" | "draining" | "retired" | "closed";

const pingData = Buffer.from("evenkeel", "latin1");

/** A connection of a client over HTTP/2 (RFC 9113), by ALPN or with prior knowledge. */
export class Http2ServerConnection implements ServerConnection, FramesOwner, OutputOwner, DeadlineOwner {
  readonly refusal: ErrorCode | undefined;
  readonly clock: Clock;
  readonly ticker: Ticker;
  readonly output: ConnectionOutput;
  readonly remoteAddress: string | undefined;
  readonly encrypted: boolean;
  readonly sendMs: number;
  readonly headMs: number;
  readonly extraWindows: ExtraWindows = new ExtraWindows();
  readonly #socket: Duplex;
  readonly #options: ServerConnectionOptions;
  readonly #frames: StreamFrames;
  readonly #input: ConnectionInput;
  readonly #reader: FrameReader;
  readonly #streams = new ConnectionStreams();
  readonly #deadlines: ConnectionDeadlines;
  #state: State = "open";
  #requests = 0;
  /** Bytes of the client's preface that were received. */
  #prefaceBytes = 0;
  /** The client has sent GOAWAY: the connection closes once it is idle. */
  #peerLeaving = false;

  constructor(socket: Duplex, options: ServerConnectionOptions) {
    const { clock, limits: own, early } = options;
    this.clock = clock;
    this.ticker = tickerOf(clock);
    this.remoteAddress = options.remoteAddress;
    this.encrypted = options.encrypted;
    this.sendMs = own.sendMs;
    this.headMs = own.requestHeadersMs;
    this.refusal = options.refusal;
    this.#socket = socket;
    this.#options = options;
    const budget = new FrameBudget(clock);
    this.output = new ConnectionOutput(socket, this, budget);
    this.#frames = new StreamFrames(this, this.#streams, options.sink, own.maxConcurrentStreams);
    this.#input = new ConnectionInput(this.#frames, budget, own.headBytes);
    this.#reader = new FrameReader(this.#input);
    this.#deadlines = new ConnectionDeadlines(this, clock, own);
    socket.on("data", (bytes: Buffer) => this.#onBytes(bytes));
    socket.on("drain", () => this.#onDrain());
    // A client that closes its side can neither give windows nor reset streams any more: it has left.
    socket.on("end", () => this.#close(errorCode.noError));
    socket.on("error", () => {});
    socket.on("close", () => this.#onLost());
    this.#sendPreface();
    if (early !== undefined && early.length > 0) process.nextTick(() => this.#onBytes(early));
  }

  get requested(): boolean {
    return this.#requests > 0;
  }

  get idle(): boolean {
    return this.#streams.size === 0;
  }

  get idleSince(): number {
    return this.#deadlines.idleSince;
  }

  get accepting(): boolean {
    return this.#state === "open" || this.#state === "draining";
  }

  /**
   * The first GOAWAY names no last stream, so that requests on their way are served; a round trip later the second one does
   * (RFC 9113 section 6.8).
   */
  closeAfterResponses(): void {
    if (this.#state !== "open") return;
    this.#state = "draining";
    this.output.goaway(maxStreamId, errorCode.noError);
    this.output.ping(pingData, false);
    this.#deadlines.drains(limits.closeGraceMs);
  }

  closeIfUnused(): void {
    if (this.idle && (this.#prefaceBytes === 0 || !this.#isReceivingHead)) this.#close(errorCode.noError);
  }

  destroy(): void {
    this.#close(errorCode.noError);
    this.#socket.destroy();
  }

  // Input.

  #onBytes(bytes: Buffer): void {
    if (this.#state === "closed") return;
    try {
      const rest = this.#readPreface(bytes);
      if (rest.length > 0) this.#reader.execute(rest);
      this.#input.flush();
    } catch (error) {
      return this.#close(error instanceof Http2Error ? error.code : errorCode.internalError);
    }
    // A client that sends requests and reads no responses: what it sends waits in its kernel.
    if (this.output.pendingBytes > limits.http2HeldOutputBytes) this.#socket.pause();
    this.#deadlines.receivesHead(this.#isReceivingHead);
  }

  get #isReceivingHead(): boolean {
    return !this.#input.settled || this.#reader.incomplete || this.#input.inHeaderBlock;
  }

  /** Returns what follows the preface of the client (RFC 9113 section 3.4). */
  #readPreface(bytes: Buffer): Buffer {
    const missing = clientPreface.length - this.#prefaceBytes;
    if (missing === 0) return bytes;
    const length = Math.min(missing, bytes.length);
    const end = this.#prefaceBytes + length;
    if (clientPreface.compare(bytes, 0, length, this.#prefaceBytes, end) !== 0) {
      throw new Http2Error(errorCode.protocolError, "another preface than that of HTTP/2");
    }
    this.#prefaceBytes = end;
    return bytes.subarray(length);
  }

  onRequest(): void {
    this.#requests++;
    if (this.#streams.size === 1) this.#deadlines.idles(false);
    if (this.refusal !== undefined) this.#acceptNoMore();
    const { requestsPerConnection } = this.#options.limits;
    if (requestsPerConnection > 0 && this.#requests >= requestsPerConnection) this.closeAfterResponses();
  }

  onPingAck(payload: Buffer): void {
    if (this.#state === "draining" && payload.equals(pingData)) this.#retire();
  }

  /** It concerns streams that a server opens: requests that follow are served. */
  onGoaway(): void {
    this.#peerLeaving = true;
    this.#closeWhenDone();
  }

  onStreamClosed(streamId: number, reset: boolean): void {
    if (!reset) this.#frames.onResponded();
    if (this.#streams.close(streamId, reset ? "reset" : "ended") !== undefined && this.idle) this.onIdle();
  }

  onIdle(): void {
    this.#deadlines.idles(true);
    this.#closeWhenDone();
  }

  // Output.

  /** The settings, and the window of the connection. */
  #sendPreface(): void {
    const { maxConcurrentStreams, headBytes } = this.#options.limits;
    this.output.settings([
      ...[setting.maxConcurrentStreams, maxConcurrentStreams],
      ...[setting.maxHeaderListSize, headBytes],
      ...[setting.enableConnectProtocol, 1],
    ]);
    this.output.windowUpdate(0, limits.http2ClientWindowBytes - defaultWindowBytes);
  }

  onOutputStalled(): void {
    this.#deadlines.stalls(true);
  }

  #onDrain(): void {
    this.#deadlines.stalls(false);
    this.output.pump();
    if (this.output.pendingBytes <= limits.http2HeldOutputBytes) this.#socket.resume();
  }

  onOutputStuck(): void {
    process.nextTick(() => {
      this.#close(errorCode.enhanceYourCalm);
      this.#socket.destroy();
    });
  }

  // Ends.

  onDrainTimeout(): void {
    this.#retire();
  }

  onIdleTimeout(): void {
    this.#close(errorCode.noError);
  }

  onHeadTimeout(): void {
    this.#close(this.#input.settled ? errorCode.enhanceYourCalm : errorCode.protocolError);
  }

  onSendTimeout(): void {
    this.destroy();
  }

  #retire(): void {
    if (this.#state !== "draining") return;
    this.#acceptNoMore();
    this.#closeWhenDone();
  }

  #acceptNoMore(): void {
    this.#state = "retired";
    this.#deadlines.drained();
    this.output.goaway(this.#streams.lastId, errorCode.noError);
  }

  #closeWhenDone(): void {
    if ((this.#state === "retired" || this.#peerLeaving) && this.idle) this.#close(errorCode.noError);
  }

  /** Sends GOAWAY and closes the connection. Responses that are not complete are cut off. */
  #close(code: number): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#reader.stop();
    this.#deadlines.stop();
    this.output.close(this.#streams.lastId, code);
    this.#streams.abortAll();
    // What the client still sends is read: a close with unread data resets the connection, and it could lose our last frames.
    this.#socket.resume();
    const timer = this.clock.setTimeout(() => this.#socket.destroy(), limits.closeGraceMs);
    this.#socket.once("close", () => this.clock.clearTimeout(timer));
    this.#socket.end();
  }

  #onLost(): void {
    this.#state = "closed";
    this.#reader.stop();
    this.#deadlines.stop();
    this.#streams.abortAll();
    this.output.onSocketClosed();
    this.#options.onClosed();
  }
}
