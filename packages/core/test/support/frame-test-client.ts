import { TLSSocket } from "node:tls";
import { frameType } from "../../src/http2/protocol.ts";
import {
  nothingReceived,
  type ReceivedResponse,
  type RequestSketch,
  type TestClient,
} from "../contract/client-exchange-harness.ts";
import type { FrameClient } from "./frame-client.ts";
import { data, type Fields, headers } from "./frame-server.ts";

/** The client of one request over HTTP/2, on stream 1 of a connection of its own. */
export class FrameTestClient implements TestClient {
  readonly frames: FrameClient;
  readonly #isTunnel: boolean;
  #queue: Buffer[] = [];
  #unsent = 0;
  #ending = false;
  /** Bytes that were sent on the stream. */
  #sent = 0;
  /** END_STREAM was sent. */
  requestEnded: boolean;

  constructor(frames: FrameClient, { bodyLength }: RequestSketch, isTunnel: boolean) {
    this.frames = frames;
    this.#isTunnel = isTunnel;
    this.requestEnded = bodyLength === undefined && !isTunnel;
    frames.onWindow = () => this.#pump();
  }

  send(chunk: Buffer): void {
    this.#queue.push(chunk);
    this.#unsent += chunk.length;
    this.#pump();
  }

  end(): void {
    this.#ending = true;
    this.#pump();
  }

  /** Trailers with a pseudo-field. */
  sendMalformed(): void {
    this.frames.send(headers(1, [[":path", "/"]], { endStream: true }));
    this.requestEnded = true;
  }

  get unsent(): number {
    return this.#unsent + this.frames.socket.writableLength;
  }

  pause(): void {
    this.frames.socket.pause();
  }

  resume(): void {
    this.frames.socket.resume();
  }

  leave(): void {
    const { socket } = this.frames;
    // Only TCP has a reset.
    if (socket instanceof TLSSocket) socket.destroy();
    else socket.resetAndDestroy();
  }

  sendRaw(text: string): void {
    this.send(Buffer.from(text, "latin1"));
  }

  get receivedRaw(): string {
    return this.frames.response(1).body.toString("latin1");
  }

  get received(): ReceivedResponse {
    const { informational, status, headers, body, trailers, complete, resetCode } = this.frames.response(1);
    const closed = this.frames.ended || resetCode !== undefined || (complete && this.requestEnded);
    if (status === 0) return { ...nothingReceived, informational, closed };
    return { informational, status, reason: "", headers, body, trailers, complete, closed };
  }

  /** What the windows of the server allow. */
  get #room(): number {
    return Math.min(65_535 + this.#granted(1) - this.#sent, 65_535 + this.#granted(0) - this.#sent, 16_384);
  }

  #granted(streamId: number): number {
    return this.frames
      .of(frameType.windowUpdate, streamId)
      .reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 0);
  }

  #pump(): void {
    if (this.requestEnded || this.frames.response(1).resetCode !== undefined) return;
    for (let chunk = this.#queue[0]; chunk !== undefined && this.#room > 0; chunk = this.#queue[0]) {
      const part = chunk.subarray(0, this.#room);
      if (part.length === chunk.length) this.#queue.shift();
      else this.#queue[0] = chunk.subarray(part.length);
      this.#sent += part.length;
      this.#unsent -= part.length;
      this.frames.send(data(1, part));
    }
    if (!this.#ending || this.#queue.length > 0 || this.#isTunnel) return;
    this.requestEnded = true;
    this.frames.send(data(1, "", true));
  }
}

/** The fields of a request, or of an extended CONNECT. */
export function sketchFields(sketch: RequestSketch, webSocket: boolean): Fields {
  const { method = "GET", target = "/", headers: more = [], bodyLength, expectsContinue = false } = sketch;
  const fields: (readonly [string, string])[] = [
    [":method", webSocket ? "CONNECT" : method],
    [":scheme", "http"],
    [":path", target],
    [":authority", "h"],
  ];
  if (webSocket) fields.push([":protocol", "websocket"], ["sec-websocket-version", "13"]);
  for (let index = 0; index < more.length; index += 2) {
    fields.push([(more[index] as string).toLowerCase(), more[index + 1] as string]);
  }
  if (typeof bodyLength === "number") fields.push(["content-length", String(bodyLength)]);
  if (expectsContinue) fields.push(["expect", "100-continue"]);
  return fields;
}
