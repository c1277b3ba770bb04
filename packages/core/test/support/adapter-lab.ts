import { createHash } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import type { RequestEvent, Proxy as ReverseProxy } from "../../src/index.ts";

/** What an upstream has seen of a request. */
export interface Seen {
  readonly upstream: string;
  readonly method: string;
  readonly url: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly bytes: number;
  readonly sha256: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
}

export interface Asking {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: http.OutgoingHttpHeaders;
  readonly body?: Uint8Array | string;
  /** Sends the body in chunks, without its length. */
  readonly chunked?: boolean;
}

/** Listens on a free port of the loopback until the test is over. */
export async function listen(server: http.Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

/** Stops listening; resolves when the last connection is gone. */
export async function closeServer(server: http.Server): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, "close");
  server.close();
  await closed;
}

/** An upstream, with its URL. Without a listener it answers what it has seen, as JSON. */
export async function startUpstream(
  name = "a",
  listener?: http.RequestListener,
): Promise<{ server: http.Server; url: string }> {
  const server = http.createServer(listener ?? ((req, res) => void tellSeen(name, req, res)));
  return { server, url: `http://127.0.0.1:${await listen(server)}` };
}

async function tellSeen(upstream: string, req: http.IncomingMessage, res: http.ServerResponse): Promise<void> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  const { method = "", url = "", headers } = req;
  const seen: Seen = { upstream, method, url, headers, bytes, sha256: hash.digest("hex") };
  res.setHeader("content-type", "application/json").end(JSON.stringify(seen));
}

/** The event of the next request that ends. */
export function nextRequest(proxy: ReverseProxy): Promise<RequestEvent> {
  return new Promise((resolve) => proxy.once("request", resolve));
}

/** Begins a request on a connection of its own. */
export function begin(port: number, { method = "GET", path = "/", headers = {} }: Asking = {}): http.ClientRequest {
  return http.request({ host: "127.0.0.1", port, method, path, headers, agent: false });
}

/** Asks, on a connection of its own, and reads the whole answer. */
export async function ask(port: number, asking: Asking = {}): Promise<Answer> {
  const { body, chunked = false } = asking;
  const length = body === undefined || chunked ? {} : { "content-length": Buffer.byteLength(body) };
  const req = begin(port, { ...asking, headers: { ...asking.headers, ...length } });
  const answered = once(req, "response");
  if (chunked) req.flushHeaders();
  req.end(body);
  const [res] = (await answered) as [http.IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of res as AsyncIterable<Buffer>) chunks.push(chunk);
  return { status: res.statusCode ?? 0, headers: res.headers, rawHeaders: res.rawHeaders, body: Buffer.concat(chunks) };
}

/** Asks, and reads what the upstream tells that it has seen. */
export async function askSeen(port: number, asking: Asking = {}): Promise<Seen> {
  const { status, body } = await ask(port, asking);
  if (status !== 200) throw new Error(`status ${status}: ${body}`);
  return JSON.parse(body.toString()) as Seen;
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Bytes that repeat in no simple way, the same in every run. */
export function patterned(length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let index = 0, state = 1; index < length; index++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[index] = state >>> 16;
  }
  return bytes;
}
