import { type AddressInfo, createServer, type Socket } from "node:net";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";
import { onTestFinished } from "vitest";
import { HpackDecoder } from "../../src/http2/hpack/decoder.ts";
import { flag, frameType } from "../../src/http2/protocol.ts";
import { Conditions } from "./conditions.ts";

/** A frame, written from scratch: what is tested is not asked how. */
export function frame(type: number, flags: number, streamId: number, payload: Uint8Array | string = ""): Buffer {
  const bytes = typeof payload === "string" ? Buffer.from(payload, "latin1") : payload;
  const header = Buffer.alloc(9);
  header.writeUIntBE(bytes.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(streamId, 5);
  return Buffer.concat([header, bytes]);
}

export function uint32(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value >>> 0, index * 4);
  return bytes;
}

/** Settings by turns: identifier and value. */
export function settings(...pairs: readonly number[]): Buffer {
  const payload = Buffer.alloc(pairs.length * 3);
  for (let index = 0; index < pairs.length; index += 2) {
    payload.writeUInt16BE(pairs[index] as number, index * 3);
    payload.writeUInt32BE(pairs[index + 1] as number, index * 3 + 2);
  }
  return frame(frameType.settings, 0, 0, payload);
}

export const settingsAck: Buffer = frame(frameType.settings, flag.ack, 0);

function integer(above: number, prefixBits: number, value: number): number[] {
  const mask = (1 << prefixBits) - 1;
  if (value < mask) return [above | value];
  const bytes = [above | mask];
  let rest = value - mask;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return [...bytes, rest];
}

/** Fields as literals that are not indexed (RFC 7541 section 6.2.2), names and values in Latin-1 and as they are. */
export function block(...fields: readonly (readonly [name: string, value: string])[]): Buffer {
  const text = (value: string) =>
    Buffer.concat([Buffer.from(integer(0, 7, value.length)), Buffer.from(value, "latin1")]);
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]));
}

/** Request or response fields, with a status when a number is given. */
export type Fields = readonly (readonly [name: string, value: string])[];

export interface HeadersOptions {
  readonly endStream?: boolean;
  readonly endHeaders?: boolean;
}

export function headers(streamId: number, fields: Fields | Buffer, options: HeadersOptions = {}): Buffer {
  const { endStream = false, endHeaders = true } = options;
  const flags = (endStream ? flag.endStream : 0) | (endHeaders ? flag.endHeaders : 0);
  return frame(frameType.headers, flags, streamId, Buffer.isBuffer(fields) ? fields : block(...fields));
}

export function continuation(streamId: number, fragment: Uint8Array, endHeaders = true): Buffer {
  return frame(frameType.continuation, endHeaders ? flag.endHeaders : 0, streamId, fragment);
}

export function data(streamId: number, bytes: Uint8Array | string, endStream = false): Buffer {
  return frame(frameType.data, endStream ? flag.endStream : 0, streamId, bytes);
}

export function reset(streamId: number, code: number): Buffer {
  return frame(frameType.rstStream, 0, streamId, uint32(code));
}

export function goaway(lastStreamId: number, code = 0, debug = ""): Buffer {
  return frame(frameType.goaway, 0, 0, Buffer.concat([uint32(lastStreamId, code), Buffer.from(debug)]));
}

export function windowUpdate(streamId: number, increment: number): Buffer {
  return frame(frameType.windowUpdate, 0, streamId, uint32(increment));
}

/** A whole response. */
export function respond(streamId: number, body = "", status = "200"): Buffer {
  const head: Fields = [
    [":status", status],
    ["content-length", String(body.length)],
  ];
  return body === ""
    ? headers(streamId, head, { endStream: true })
    : Buffer.concat([headers(streamId, head), data(streamId, body, true)]);
}

export interface ReceivedFrame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

/** A request as it came over a connection of frames. */
export interface FrameRequest {
  readonly id: number;
  readonly peer: FramePeer;
  /** Names and values by turns. */
  readonly fields: readonly string[];
  /** What has come of the body. */
  body: Buffer;
  /** END_STREAM has come. */
  complete: boolean;
}

export interface FrameScript {
  /** Payloads of settings by turns, sent first; false: nothing is sent. */
  readonly settings?: readonly number[] | false;
  readonly onConnection?: (peer: FramePeer) => void;
  /** A head has come. */
  readonly onHeaders?: (request: FrameRequest) => void;
  /** A request has come whole. */
  readonly onRequest?: (request: FrameRequest) => void;
  readonly onFrame?: (frame: ReceivedFrame, peer: FramePeer) => void;
  readonly tls?: TlsOptions;
  /** Another than a free one. */
  readonly port?: number;
}

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/** One connection to a scripted server: what came, frame by frame. */
export class FramePeer {
  readonly socket: Socket;
  readonly frames: ReceivedFrame[] = [];
  readonly requests = new Map<number, FrameRequest>();
  /** The client has closed its side. */
  ended = false;
  #bytes = Buffer.alloc(0);
  #greeted = false;
  readonly #decoder = new HpackDecoder({ bytes: 1_000_000, fields: 10_000 });
  #fragments: Buffer[] = [];
  #endStream = false;
  readonly #script: FrameScript;

  constructor(socket: Socket, script: FrameScript, changed: () => void) {
    this.socket = socket;
    this.#script = script;
    socket.setNoDelay(true);
    socket.on("error", () => {});
    socket.on("close", changed);
    socket.on("end", () => {
      this.ended = true;
      changed();
    });
    socket.on("data", (bytes: Buffer) => {
      this.#read(bytes);
      changed();
    });
  }

  send(...frames: readonly Uint8Array[]): void {
    if (!this.socket.destroyed) this.socket.write(Buffer.concat(frames));
  }

  of(type: number, streamId?: number): ReceivedFrame[] {
    return this.frames.filter((one) => one.type === type && (streamId === undefined || one.streamId === streamId));
  }

  /** The code that the client has ended the connection with. */
  get goawayCode(): number | undefined {
    return this.of(frameType.goaway)[0]?.payload.readUInt32BE(4);
  }

  /** The code that the client has reset a stream with. */
  resetCode(streamId: number): number | undefined {
    return this.of(frameType.rstStream, streamId)[0]?.payload.readUInt32BE(0);
  }

  #read(bytes: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    if (!this.#greeted) {
      if (this.#bytes.length < preface.length) return;
      if (this.#bytes.toString("latin1", 0, preface.length) !== preface) return void this.socket.destroy();
      this.#bytes = this.#bytes.subarray(preface.length);
      this.#greeted = true;
      if (this.#script.settings !== false) this.send(settings(...(this.#script.settings ?? [])));
      this.#script.onConnection?.(this);
    }
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

  #onFrame(one: ReceivedFrame): void {
    const { type, flags, streamId, payload } = one;
    if (type === frameType.settings && (flags & flag.ack) === 0 && this.#script.settings !== false)
      this.send(settingsAck);
    this.#script.onFrame?.(one, this);
    if (type === frameType.headers || type === frameType.continuation) {
      if (type === frameType.headers) {
        this.#fragments = [];
        this.#endStream = (flags & flag.endStream) !== 0;
      }
      this.#fragments.push(payload);
      if ((flags & flag.endHeaders) === 0) return;
      const { fields } = this.#decoder.decode(Buffer.concat(this.#fragments));
      const request: FrameRequest = { id: streamId, peer: this, fields, body: Buffer.alloc(0), complete: false };
      this.requests.set(streamId, request);
      this.#script.onHeaders?.(request);
    }
    const request = this.requests.get(streamId);
    if (request === undefined || request.complete) return;
    if (type === frameType.data) {
      request.body = Buffer.concat([request.body, payload]);
      this.#endStream = (flags & flag.endStream) !== 0;
    } else if (type !== frameType.headers && type !== frameType.continuation) return;
    if (!this.#endStream) return;
    request.complete = true;
    this.#script.onRequest?.(request);
  }
}

export interface FrameServer {
  readonly port: number;
  /** Every connection there ever was, in order. */
  readonly peers: readonly FramePeer[];
  /** Requests whose head has come, over all connections. */
  readonly requests: number;
  /** Resolves as soon as the condition holds; it is looked at whenever something happens here. */
  until(condition: () => boolean): Promise<void>;
  /** Stops to listen and cuts everything. */
  stop(): Promise<void>;
}

/** A server of bare frames, by a script. Gone when the test is over. */
export async function frameServer(script: FrameScript): Promise<FrameServer> {
  const peers: FramePeer[] = [];
  const conditions = new Conditions();
  const accept = (socket: Socket) => {
    peers.push(new FramePeer(socket, script, conditions.check));
    conditions.check();
  };
  const server =
    script.tls === undefined ? createServer({ allowHalfOpen: true }, accept) : createTlsServer(script.tls, accept);
  server.on("tlsClientError", () => {});
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(script.port ?? 0, "127.0.0.1", resolve);
  });
  const stop = () => {
    for (const { socket } of peers) socket.destroy();
    return new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
  };
  onTestFinished(stop);
  return {
    port: (server.address() as AddressInfo).port,
    peers,
    get requests() {
      return peers.reduce((sum, { requests }) => sum + requests.size, 0);
    },
    until: (condition) => conditions.until(condition),
    stop,
  };
}
