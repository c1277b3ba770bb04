import {
  Agent,
  type ClientRequest,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
} from "node:http";
import { connect, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import { bodyOf } from "./start-upstream.ts";

export interface Answer {
  readonly status: number;
  readonly statusText: string;
  readonly headers: IncomingMessage["headers"];
  readonly rawHeaders: readonly string[];
  readonly trailers: IncomingMessage["trailers"];
  readonly body: Buffer;
  readonly text: string;
}

export interface Ask extends Omit<RequestOptions, "timeout"> {
  readonly body?: string | Buffer | undefined;
}

/** Sends a request and resolves with the whole answer. Rejects when the connection dies before its end. */
export async function fetchFrom(url: string, { body, ...options }: Ask = {}): Promise<Answer> {
  const request = httpRequest(url, { agent: false, ...options });
  // Left to itself, node frames a body only for the methods that usually have one.
  if (body !== undefined && !request.hasHeader("transfer-encoding")) {
    request.setHeader("Content-Length", Buffer.byteLength(body));
  }
  request.end(body);
  return answerOf(await responseTo(request));
}

/** Begins a request whose body and end are up to the caller. */
export function begin(url: string, options: Ask = {}): ClientRequest {
  const request = httpRequest(url, { agent: false, ...options });
  request.on("error", () => {});
  return request;
}

export function responseTo(request: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once("response", resolve);
    request.once("error", reject);
  });
}

export async function answerOf(response: IncomingMessage): Promise<Answer> {
  const body = await bodyOf(response);
  const { statusCode: status = 0, statusMessage: statusText = "", headers, rawHeaders, trailers } = response;
  return { status, statusText, headers, rawHeaders, trailers, body, text: body.toString() };
}

/** An agent that keeps so many connections alive, gone when the test is over. */
export function keepAlive(maxSockets = Infinity): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets });
  onTestFinished(() => agent.destroy());
  return agent;
}

/** Runs `total` tasks, `concurrency` at a time, and resolves with what they resolved with. */
export async function underLoad<T>(
  total: number,
  concurrency: number,
  task: (index: number) => Promise<T>,
): Promise<T[]> {
  const results = new Array<T>(total);
  let next = 0;
  const worker = async () => {
    for (let index = next++; index < total; index = next++) results[index] = await task(index);
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return results;
}

export interface RawClient {
  readonly socket: Socket;
  /** Everything that has come so far, in Latin-1. */
  readonly text: string;
  /** Resolves as soon as what has come matches. Rejects when the connection ends before that. */
  until(pattern: RegExp): Promise<string>;
  /** Resolves with everything when the connection is over: `end` in good order, `reset` otherwise. */
  over(): Promise<{ readonly text: string; readonly how: "end" | "reset" }>;
}

/** A client of bare bytes, that keeps its own side open. */
export function rawClient(port: number, bytes: string | Buffer = ""): Promise<RawClient> {
  return rawOver(connect({ port, host: "127.0.0.1", allowHalfOpen: true }), bytes);
}

/** The same over a socket that is being opened. */
export async function rawOver(socket: Socket, bytes: string | Buffer = ""): Promise<RawClient> {
  onTestFinished(() => void socket.destroy());
  let text = "";
  let how: "end" | "reset" | undefined;
  const checks = new Set<() => void>();
  const settle = () => {
    for (const check of checks) check();
  };
  socket.on("data", (chunk) => {
    text += chunk.toString("latin1");
    settle();
  });
  socket.on("end", () => {
    how ??= "end";
    settle();
  });
  socket.on("error", () => {
    how ??= "reset";
    settle();
  });
  socket.on("close", () => {
    how ??= "end";
    settle();
  });
  await new Promise((resolve) => {
    socket.once("encrypted" in socket ? "secureConnect" : "connect", resolve);
  });
  socket.write(bytes);
  const when = <T>(test: () => T | undefined): Promise<T> =>
    new Promise((resolve, reject) => {
      const check = () => {
        const result = test();
        if (result === undefined && how === undefined) return;
        checks.delete(check);
        if (result === undefined) reject(new Error(`the connection is over after: ${JSON.stringify(text)}`));
        else resolve(result);
      };
      checks.add(check);
      check();
    });
  return {
    socket,
    get text() {
      return text;
    },
    until: (pattern) => when(() => (pattern.test(text) ? text : undefined)),
    over: () => when(() => (how === undefined ? undefined : { text, how })),
  };
}
