import type { Socket } from "node:net";
import { limits } from "../../config/defaults.ts";
import { FrameBudget } from "../../http2/frame-budget.ts";
import { FrameReader } from "../../http2/frame-reader.ts";
import { errorCode, errorName, Http2Error, maxStreamId } from "../../http2/protocol.ts";
import { ResetBudget } from "../../http2/reset-budget.ts";
import { PeerSettings } from "../../http2/settings.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Ticker } from "../../runtime/ticker.ts";
import { isHandshakeAlert } from "../failure-codes.ts";
import type { ConnectionTimeouts } from "../http1/connection-setup.ts";
import { readPending } from "../http1/read-pending.ts";
import { TransportError } from "../transport-error.ts";
import { closeGracefully } from "./close-gracefully.ts";
import type { OpenedSocket } from "./dial.ts";
import type { Http2Exchange } from "./http2-exchange.ts";
import { Liveness, type LivenessHost } from "./liveness.ts";
import { SessionInput } from "./session-input.ts";
import { type OutputOwner, SessionOutput } from "./session-output.ts";
import type { InputHost, SessionOwner, SessionSetup, StreamHost } from "./session-roles.ts";
import { Http2Stream } from "./stream.ts";

type State = "open" | "retired" | "closed";

const pingData = Buffer.from("evenkeel", "latin1");

/** One HTTP/2 connection to an upstream and its streams. README.md describes its states. */
export class Session implements StreamHost, InputHost, LivenessHost, OutputOwner {
  readonly clock: Clock;
  readonly ticker: Ticker;
  readonly timeouts: ConnectionTimeouts;
  readonly output: SessionOutput;
  readonly #socket: Socket;
  readonly #owner: SessionOwner;
  readonly #connectMs: number;
  readonly #peer = new PeerSettings("server");
  readonly #budget: FrameBudget;
  readonly #input: SessionInput;
  readonly #reader: FrameReader;
  readonly #resets: ResetBudget;
  readonly #streams = new Map<number, Http2Stream>();
  #claimed: Http2Exchange[] = [];
  #state: State = "open";
  #nextId = 1;
  /** The upstream has sent GOAWAY: it processes no stream above `#lastStreamId`. */
  #leaving = false;
  #lastStreamId = maxStreamId;
  /** The upstream's settings have been received. */
  #settled = false;
  /** An exchange has ended on this connection. */
  #served = false;
  readonly #liveness: Liveness;

  constructor(opened: OpenedSocket, options: SessionSetup) {
    const { socket } = opened;
    this.clock = options.clock;
    this.ticker = options.ticker;
    this.timeouts = options.timeouts;
    this.#owner = options.owner;
    this.#socket = socket;
    this.#connectMs = opened.connectMs;
    const { clock, ticker, liveness } = options;
    this.#liveness = new Liveness(this, { clock, ticker, timeouts: liveness });
    this.#budget = new FrameBudget(options.clock);
    this.output = new SessionOutput(socket, this, this.#budget);
    this.#input = new SessionInput(this, this.#budget, options.responseHead);
    this.#reader = new FrameReader(this.#input);
    // Clients that abort many requests must not make us send what the upstream takes for an attack.
    this.#resets = new ResetBudget(options.clock, {
      burst: limits.http2ResetStreams,
      perSecond: limits.http2ResetStreamsPerSecond,
    });
    opened.readFrom((bytes) => this.#onBytes(bytes));
    socket.on("drain", () => this.output.pump());
    socket.on("end", () => this.#onLost(undefined));
    socket.on("error", (error) => this.#onLost(error));
    socket.on("close", () => this.#onLost(undefined));
    this.output.sendPreface();
    this.#liveness.restart();
  }

  /** The number of streams that may be opened now. Before the upstream's settings are known it is one. */
  get room(): number {
    if (this.#state !== "open" || this.#liveness.pinging) return 0;
    const max = this.#settled ? Math.min(this.#peer.maxConcurrentStreams, limits.http2ConcurrentStreams) : 1;
    return Math.min(max, (maxStreamId - this.#nextId) / 2) - this.active;
  }

  /** The upstream allows no stream for now. */
  get allowsNone(): boolean {
    return this.#peer.maxConcurrentStreams === 0;
  }

  get active(): number {
    return this.#streams.size + this.#claimed.length;
  }

  get settled(): boolean {
    return this.#settled;
  }
  get served(): boolean {
    return this.#served;
  }

  // Requests.

  /** Accepts an exchange, which `send` begins. */
  claim(exchange: Http2Exchange): void {
    this.#claimed.push(exchange);
  }

  /** Sends the claimed exchanges, unless this poll of the event loop has brought a GOAWAY or the end of the connection. */
  send(): void {
    const claimed = this.#claimed;
    if (claimed.length === 0) return;
    this.#claimed = [];
    for (const [index, exchange] of claimed.entries()) {
      if (this.#leaving || this.#state === "closed") {
        this.#owner.onUnsent(claimed.slice(index));
        break;
      }
      if (!exchange.over) this.#open(exchange);
    }
    if (this.active === 0) this.#onIdle();
  }

  #open(exchange: Http2Exchange): void {
    const id = this.#nextId;
    const connectMs = id === 1 ? this.#connectMs : undefined;
    this.#nextId += 2;
    const options = { id, sendWindowBytes: this.#peer.initialWindowBytes, openedAfter: this.#input.frames };
    const stream = new Http2Stream(this, exchange, options);
    this.#streams.set(id, stream);
    this.#liveness.restart();
    exchange.begin(stream);
    this.output.request(id, exchange.fields, exchange.head.bodyLength === 0);
    if (!stream.over) exchange.handler.onConnected(exchange, connectMs);
  }

  // Input.

  #onBytes(bytes: Buffer): void {
    if (this.#state === "closed") return;
    if (this.#liveness.onInput() && this.room > 0) this.#owner.onRoom(this);
    try {
      this.#reader.execute(bytes);
    } catch (error) {
      this.#fail(error instanceof Http2Error ? error : new Http2Error(errorCode.internalError, String(error)));
    }
    this.#input.flush();
    this.output.flush();
  }

  stream(id: number): Http2Stream | undefined {
    return this.#streams.get(id);
  }

  isIdle(id: number): boolean {
    return id >= this.#nextId || id % 2 === 0;
  }

  onSettings(payload: Buffer): void {
    const before = this.#peer.initialWindowBytes;
    this.#peer.apply(payload);
    this.#settled = true;
    this.output.resizeTable(this.#peer.leastHeaderTableBytes);
    this.output.resizeTable(this.#peer.headerTableBytes);
    this.output.settingsAck();
    const change = this.#peer.initialWindowBytes - before;
    if (change !== 0) for (const { upload } of this.#streams.values()) upload.window.shift(change);
    if (change > 0) this.output.pump();
    if (this.room > 0) this.#owner.onRoom(this);
  }

  /** Streams above the last have not been processed; the others go on (RFC 9113 section 6.8). */
  onGoaway(lastStreamId: number, code: number): void {
    if (lastStreamId > this.#lastStreamId)
      throw new Http2Error(errorCode.protocolError, "a GOAWAY with a higher last stream than an earlier one");
    this.#leaving = true;
    this.#lastStreamId = lastStreamId;
    if (code === errorCode.http11Required) this.#owner.onHttp1Required();
    this.retire();
    for (const stream of [...this.#streams.values()]) {
      if (stream.id > lastStreamId) stream.refuse(`GOAWAY ${errorName(code)}`, true);
    }
  }

  // Streams.

  isStale(stream: Http2Stream): boolean {
    return this.#served && this.#input.frames === stream.openedAfter;
  }

  failStream(stream: Http2Stream, error: Http2Error): void {
    stream.fail(new TransportError("invalid_response", error.message, { cause: error }), error.code);
  }

  onStreamOver(stream: Http2Stream, reset: number | undefined): void {
    this.#streams.delete(stream.id);
    if (this.#state === "closed") return;
    this.#served = true;
    if (reset !== undefined) {
      this.output.reset(stream.id, reset);
      if (!this.#resets.spend()) this.retire();
    }
    if (this.active === 0) this.#onIdle();
    else if (this.room > 0) this.#owner.onRoom(this);
  }

  onHttp1Required(): void {
    this.#owner.onHttp1Required();
  }

  /** The upstream may be dead. A PING finds out, and no new request is sent before its answer. */
  onStreamTimeout(): void {
    if (this.#state !== "closed") this.#liveness.ping();
  }

  sendPing(): void {
    this.output.ping(pingData, false);
  }

  // Ends.

  onDead(): void {
    this.#lose(new TransportError("reset", "the upstream did not answer a PING"));
  }

  /** Accepts no new streams, and closes when the open ones have ended. */
  retire(): void {
    if (this.#state !== "open") return;
    this.#state = "retired";
    this.#owner.onRetired(this);
    if (this.active === 0) this.#onIdle();
  }

  /** Closes the connection and fails its exchanges. */
  destroy(): void {
    this.#lose(new TransportError("reset", "the proxy is closing"));
  }

  #onIdle(): void {
    if (this.#state === "closed") return;
    if (this.#state === "retired") return void this.#close(errorCode.noError);
    this.#liveness.restart();
    if (this.#state === "open") this.#owner.onRoom(this);
  }

  /** A violation of the protocol: no stream of the connection can be understood any more. */
  #fail(error: Http2Error): void {
    if (this.#state === "closed") return;
    const culprit = this.#streams.has(this.#input.streamId) ? this.#input.streamId : 0;
    const streams = this.#close(error.code);
    for (const stream of streams) {
      const code = culprit === 0 || stream.id === culprit ? "invalid_response" : "reset";
      stream.onConnectionLost(new TransportError(code, error.message, { cause: error }));
    }
  }

  #onLost(error: Error | undefined): void {
    if (this.#state === "closed") return;
    const code = this.#input.frames === 0 && isHandshakeAlert(error) ? "tls_failed" : "reset";
    this.#lose(new TransportError(code, error?.message ?? "the connection was closed", { cause: error }));
  }

  #lose(error: TransportError): void {
    if (this.#state === "closed") return;
    const streams = this.#close(errorCode.noError);
    this.#socket.destroy();
    for (const stream of streams) stream.onConnectionLost(error);
  }

  /** Sends GOAWAY and closes the connection. Returns the streams that were open. */
  #close(code: number): Http2Stream[] {
    this.#state = "closed";
    const streams = [...this.#streams.values()];
    this.#liveness.stop();
    this.#reader.stop();
    this.output.close(code);
    this.#owner.onClosed(this);
    closeGracefully(this.#socket, this.clock);
    return streams;
  }

  onOutputStuck(error: Http2Error): void {
    this.#fail(error);
  }

  /** Node is about to destroy the socket. The upstream may have sent frames before it closed. */
  onWriteFailed(): void {
    for (let rest = readPending(this.#socket); rest !== undefined; rest = readPending(this.#socket)) {
      this.#onBytes(rest);
    }
  }
}
