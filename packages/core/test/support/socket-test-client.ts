import { TLSSocket } from "node:tls";
import {
  nothingReceived,
  type ReceivedResponse,
  type RequestSketch,
  type TestClient,
} from "../contract/client-exchange-harness.ts";
import type { StrictClient } from "./raw-client.ts";

/** The client of one request over HTTP/1, on a connection of its own. */
export class SocketTestClient implements TestClient {
  readonly #client: StrictClient;
  readonly #method: string;
  readonly #isChunked: boolean;
  #read: { readonly bytes: number; readonly ended: boolean; readonly response: ReceivedResponse } | undefined;

  constructor(client: StrictClient, { method = "GET", bodyLength }: RequestSketch) {
    this.#client = client;
    this.#method = method;
    this.#isChunked = bodyLength === "unknown";
  }

  send(chunk: Buffer): void {
    if (this.#client.socket.destroyed) return;
    if (this.#isChunked) this.#client.socket.write(`${chunk.length.toString(16)}\r\n`);
    this.#client.socket.write(chunk);
    if (this.#isChunked) this.#client.socket.write("\r\n");
  }

  end(): void {
    if (this.#isChunked) this.#client.socket.write("0\r\n\r\n");
  }

  sendMalformed(): void {
    this.#client.socket.write("not a size\r\n");
  }

  get unsent(): number {
    return this.#client.socket.writableLength;
  }

  pause(): void {
    this.#client.socket.pause();
  }

  resume(): void {
    this.#client.socket.resume();
  }

  leave(): void {
    const { socket } = this.#client;
    // Only TCP has a reset.
    if (socket instanceof TLSSocket) socket.destroy();
    else socket.resetAndDestroy();
  }

  sendRaw(text: string): void {
    this.#client.socket.write(text, "latin1");
  }

  get receivedRaw(): string {
    const { text } = this.#client;
    return text.slice(text.indexOf("\r\n\r\n") + 4);
  }

  /** Parsed only when more has been received: a test looks often, and a body may be long. */
  get received(): ReceivedResponse {
    const { received, how } = this.#client;
    const ended = how !== undefined;
    if (this.#read?.bytes !== received.length || this.#read.ended !== ended) {
      this.#read = { bytes: received.length, ended, response: this.#parse() };
    }
    return this.#read.response;
  }

  #parse(): ReceivedResponse {
    const { responses, informational, violation } = this.#client.read([this.#method]);
    if (violation !== undefined) throw new Error(`not HTTP: ${violation}`);
    const [response] = responses;
    const all = informational.map(({ status, fields }) => ({ status, headers: fields.flat() }));
    const closed = this.#client.how !== undefined;
    if (response === undefined) return { ...nothingReceived, informational: all, closed };
    return {
      informational: all,
      status: response.status,
      reason: response.head.slice("HTTP/1.1 200 ".length, response.head.indexOf("\r\n")),
      headers: response.fields.flat(),
      body: response.body,
      trailers: response.trailers.flat(),
      complete: response.complete,
      closed,
    };
  }
}

/** The head of a request over HTTP/1. */
export function requestBytes(sketch: RequestSketch, httpVersion: string): Buffer {
  const { method = "GET", target = "/", headers = [], bodyLength, expectsContinue = false, early = "" } = sketch;
  const lines = [`${method} ${target} HTTP/${httpVersion}`, "Host: h"];
  for (let index = 0; index < headers.length; index += 2) lines.push(`${headers[index]}: ${headers[index + 1]}`);
  if (bodyLength === "unknown") lines.push("Transfer-Encoding: chunked");
  else if (bodyLength !== undefined) lines.push(`Content-Length: ${bodyLength}`);
  if (expectsContinue) lines.push("Expect: 100-continue");
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n${early}`, "latin1");
}
