import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { seededRandom } from "evenkeel";

export interface DemoUpstreamOptions {
  /** The delay before each response. Default: 0. */
  readonly delayMs?: number;
  /** The status of a part of its responses, from 0 to 1. Default: none has it. */
  readonly errorStatus?: number;
  readonly errorShare?: number;
}

/** Errors come at the same requests in every run, the first of them early. */
const errorSeed = 204;

/** A small HTTP server that responds with its name, and that can be down for a while. */
export class DemoUpstream {
  readonly name: string;
  readonly #delayMs: number;
  readonly #errorStatus: number;
  readonly #errorShare: number;
  readonly #random = seededRandom(errorSeed);
  readonly #server: Server;
  #port = 0;
  #restart: NodeJS.Timeout | undefined;

  static async start(name: string, options: DemoUpstreamOptions = {}): Promise<DemoUpstream> {
    const upstream = new DemoUpstream(name, options);
    await upstream.#listen();
    upstream.#port = (upstream.#server.address() as AddressInfo).port;
    return upstream;
  }

  private constructor(name: string, { delayMs = 0, errorStatus = 500, errorShare = 0 }: DemoUpstreamOptions) {
    this.name = name;
    this.#delayMs = delayMs;
    this.#errorStatus = errorStatus;
    this.#errorShare = errorShare;
    this.#server = createServer((req, res) => this.#respond(req, res));
    // Another process may have taken the port while the server was down.
    this.#server.on("error", () => this.#restartIn(1_000));
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Closes every connection and refuses new ones for a while. */
  goDown(ms: number): void {
    this.#server.close();
    this.#server.closeAllConnections();
    this.#restartIn(ms);
  }

  close(): void {
    clearTimeout(this.#restart);
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #listen(): Promise<void> {
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
  }

  #restartIn(ms: number): void {
    clearTimeout(this.#restart);
    this.#restart = setTimeout(() => this.#server.listen(this.#port, "127.0.0.1"), ms).unref();
  }

  #respond(req: IncomingMessage, res: ServerResponse): void {
    res.setHeader("content-type", "text/plain; charset=utf-8");
    if (req.url === "/healthz") return void res.end("ok\n");
    if (req.url === "/down") return this.#respondToDown(req, res);
    const isError = this.#random() < this.#errorShare;
    if (isError) res.statusCode = this.#errorStatus;
    const text = isError ? `${this.name} has an error\n` : `hello from ${this.name}\n`;
    const timer = setTimeout(() => res.end(text), this.#delayMs);
    res.once("close", () => clearTimeout(timer));
  }

  #respondToDown(req: IncomingMessage, res: ServerResponse): void {
    if (req.method !== "POST") return void res.writeHead(405, { allow: "POST" }).end("POST it\n");
    res.once("finish", () => this.goDown(outageMs));
    res.setHeader("connection", "close").end(`${this.name} is down for ${outageMs / 1_000} seconds\n`);
  }
}

const outageMs = 10_000;
