import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A small HTTP server that says its name, and that can be away for a while. */
export class DemoUpstream {
  readonly name: string;
  readonly #delayMs: number;
  readonly #server: Server;
  #port = 0;
  #returning: NodeJS.Timeout | undefined;

  /** `delayMs` is how long it thinks before it answers. */
  static async start(name: string, delayMs: number): Promise<DemoUpstream> {
    const upstream = new DemoUpstream(name, delayMs);
    await upstream.#listen();
    upstream.#port = (upstream.#server.address() as AddressInfo).port;
    return upstream;
  }

  private constructor(name: string, delayMs: number) {
    this.name = name;
    this.#delayMs = delayMs;
    this.#server = createServer((req, res) => this.#answer(req, res));
    // Somebody else may have taken the port meanwhile.
    this.#server.on("error", () => this.#returnIn(1_000));
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Cuts every connection and refuses new ones for a while. */
  goDown(ms: number): void {
    this.#server.close();
    this.#server.closeAllConnections();
    this.#returnIn(ms);
  }

  close(): void {
    clearTimeout(this.#returning);
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #listen(): Promise<void> {
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
  }

  #returnIn(ms: number): void {
    clearTimeout(this.#returning);
    this.#returning = setTimeout(() => this.#server.listen(this.#port, "127.0.0.1"), ms).unref();
  }

  #answer(req: IncomingMessage, res: ServerResponse): void {
    res.setHeader("content-type", "text/plain; charset=utf-8");
    if (req.url === "/healthz") return void res.end("ok\n");
    if (req.url === "/down") return this.#answerDown(req, res);
    const timer = setTimeout(() => res.end(`hello from ${this.name}\n`), this.#delayMs);
    res.once("close", () => clearTimeout(timer));
  }

  #answerDown(req: IncomingMessage, res: ServerResponse): void {
    if (req.method !== "POST") return void res.writeHead(405, { allow: "POST" }).end("POST it\n");
    res.once("finish", () => this.goDown(outageMs));
    res.setHeader("connection", "close").end(`${this.name} is away for ${outageMs / 1_000} seconds\n`);
  }
}

const outageMs = 10_000;
