import { connect, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import { HpackDecoder } from "../../src/http2/hpack/decoder.ts";
import { flag, frameType } from "../../src/http2/protocol.ts";
import { Conditions } from "./conditions.ts";
import { frame, type ReceivedFrame, settingsAck, uint32 } from "./frame-server.ts";

export const preface: Buffer = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/** What a client has received on one stream. */
export interface FrameResponse {
  readonly informational: { readonly status: number; readonly headers: readonly string[] }[];
  /** 0 before the head. */
  status: number;
  headers: readonly string[];
  readonly chunks: Buffer[];
  readonly body: Buffer;
  trailers: readonly string[];
  /** END_STREAM has come. */
  complete: boolean;
  /** The code of RST_STREAM, once it has come. */
  resetCode: number | undefined;
}

export interface FrameClientOptions {
  readonly port: number;
  /** Sent in place of the preface and empty settings. */
  readonly greeting?: Buffer;
  /** Windows are given back as data comes. Default: true. */
  readonly readsData?: boolean;
  /** SETTINGS and PING are acknowledged. Default: true. */
  readonly acknowledges?: boolean;
}

/** A client that sends bare frames and reads what comes back, frame by frame. */
export class FrameClient {
  readonly socket: Socket;
  readonly frames: ReceivedFrame[] = [];
  readonly responses = new Map<number, FrameResponse>();
  /** The server has closed the connection. */
  ended = false;
  readsData: boolean;
  readonly #acknowledges: boolean;
  /** Called when the server has enlarged a window. */
  onWindow: () => void = () => {};
  readonly #conditions = new Conditions();
  readonly #decoder = new HpackDecoder({ bytes: 1_000_000, fields: 10_000 });
  #bytes = Buffer.alloc(0);
  #fragments: Buffer[] = [];
  #endStream = false;

  private constructor(socket: Socket, readsData: boolean, acknowledges: boolean) {
    this.#acknowledges = acknowledges;
    this.socket = socket;
    this.readsData = readsData;
    socket.setNoDelay(true);
    socket.on("error", () => {});
    for (const event of ["end", "close"]) socket.on(event, () => this.#onEnd());
    socket.on("data", (bytes: Buffer) => {
      this.#read(bytes);
      this.#conditions.check();
    });
  }

  /** Connects with prior knowledge. Gone when the test is over. */
  static async to({ port, ...options }: FrameClientOptions): Promise<FrameClient> {
    return FrameClient.over(connect({ port, host: "127.0.0.1", allowHalfOpen: true }), "connect", options);
  }

  /** A client over a socket that is connecting; `ready` is the event that it emits next. */
  static async over(
    socket: Socket,
    ready: string,
    { greeting, readsData = true, acknowledges = true }: Omit<FrameClientOptions, "port"> = {},
  ): Promise<FrameClient> {
    const client = new FrameClient(socket, readsData, acknowledges);
    onTestFinished(() => void socket.destroy());
    await new Promise<void>((resolve, reject) => {
      socket.once(ready, resolve).once("error", reject);
    });
    client.send(greeting ?? Buffer.concat([preface, frame(frameType.settings, 0, 0)]));
    return client;
  }

  send(...frames: readonly Uint8Array[]): void {
    if (!this.socket.destroyed) this.socket.write(Buffer.concat(frames));
  }

  until(condition: () => boolean): Promise<void> {
    return this.#conditions.until(condition);
  }

  response(streamId: number): FrameResponse {
    let response = this.responses.get(streamId);
    if (response === undefined) {
      response = {
        informational: [],
        status: 0,
        headers: [],
        chunks: [],
        get body() {
          if (this.chunks.length !== 1) this.chunks.splice(0, this.chunks.length, Buffer.concat(this.chunks));
          return this.chunks[0] as Buffer;
        },
        trailers: [],
        complete: false,
        resetCode: undefined,
      };
      this.responses.set(streamId, response);
    }
    return response;
  }

  /** Resolves when the stream has ended or was reset, or the connection has. */
  async over(streamId: number): Promise<FrameResponse> {
    const response = this.response(streamId);
    await this.until(() => response.complete || response.resetCode !== undefined || this.ended);
    return response;
  }

  of(type: number, streamId?: number): ReceivedFrame[] {
    return this.frames.filter((one) => one.type === type && (streamId === undefined || one.streamId === streamId));
  }

  /** The last streams and codes of GOAWAY, in order. */
  get goaways(): { readonly last: number; readonly code: number }[] {
    return this.of(frameType.goaway).map(({ payload }) => ({
      last: payload.readUInt32BE(0),
      code: payload.readUInt32BE(4),
    }));
  }

  get goawayCode(): number | undefined {
    return this.goaways.at(-1)?.code;
  }

  resetCode(streamId: number): number | undefined {
    return this.of(frameType.rstStream, streamId)[0]?.payload.readUInt32BE(0);
  }

  #onEnd(): void {
    this.ended = true;
    this.socket.end();
    this.#conditions.check();
  }

  #read(bytes: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    while (this.#bytes.length >= 9) {
      const length = this.#bytes.readUIntBE(0, 3);
      if (this.#bytes.length < 9 + length) return;
      const one: ReceivedFrame = {
        type: this.#bytes[3] as number,
        flags: this.#bytes[4] as number,
        streamId: this.#bytes.readUInt32BE(5),
        payload: this.#bytes.subarray(9, 9 + length),
      };
      this.#bytes = this.#bytes.subarray(9 + length);
      this.frames.push(one);
      this.#onFrame(one);
    }
  }

  #onFrame({ type, flags, streamId, payload }: ReceivedFrame): void {
    const isAck = (flags & flag.ack) !== 0 || !this.#acknowledges;
    if (type === frameType.settings && !isAck) this.send(settingsAck);
    if (type === frameType.ping && !isAck) this.send(frame(frameType.ping, flag.ack, 0, payload));
    if (type === frameType.rstStream) this.response(streamId).resetCode = payload.readUInt32BE(0);
    if (type === frameType.windowUpdate) this.onWindow();
    if (type === frameType.data) this.#onData(streamId, flags, payload);
    if (type !== frameType.headers && type !== frameType.continuation) return;
    if (type === frameType.headers) {
      this.#fragments = [];
      this.#endStream = (flags & flag.endStream) !== 0;
    }
    this.#fragments.push(payload);
    if ((flags & flag.endHeaders) !== 0) this.#onFields(streamId);
  }

  #onData(streamId: number, flags: number, payload: Buffer): void {
    const response = this.response(streamId);
    if (response.complete || response.resetCode !== undefined) throw new Error("DATA behind the end of a stream");
    response.chunks.push(payload);
    response.complete = (flags & flag.endStream) !== 0;
    if (!this.readsData || payload.length === 0) return;
    for (const id of [0, streamId]) this.send(frame(frameType.windowUpdate, 0, id, uint32(payload.length)));
  }

  #onFields(streamId: number): void {
    const { fields } = this.#decoder.decode(Buffer.concat(this.#fragments));
    const response = this.response(streamId);
    if (response.complete || response.resetCode !== undefined) throw new Error("HEADERS behind the end of a stream");
    response.complete = this.#endStream;
    if (response.status !== 0) {
      response.trailers = fields;
      return;
    }
    if (fields[0] !== ":status") throw new Error("a response without a status");
    const status = Number(fields[1]);
    if (status < 200) response.informational.push({ status, headers: fields.slice(2) });
    else {
      response.status = status;
      response.headers = fields.slice(2);
    }
  }
}

/** The fields of a request, with pseudo-fields first. */
export function requestFields(
  path = "/",
  more: readonly (readonly [name: string, value: string])[] = [],
  method = "GET",
): readonly (readonly [name: string, value: string])[] {
  return [[":method", method], [":scheme", "http"], [":path", path], [":authority", "shop.example"], ...more];
}
