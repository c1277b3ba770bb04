import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Clock, systemClock } from "../runtime/clock.ts";
import { checkSteps, perform, type Step } from "./steps.ts";

export interface ScriptedUpstreamOptions {
  /** What it answers with, and what assertions call it. Default `upstream`. */
  readonly name?: string;
  /** Begins anew after the last step, instead of repeating that one. Default false. */
  readonly loop?: boolean;
  /** Milliseconds that `slow` takes. Default 1,000. */
  readonly slowMs?: number;
  /** Requests for this path are health checks: answered 200, not recorded, and no step is taken for them. */
  readonly healthPath?: string;
  /** Whose time delays take. Default: the machine's. */
  readonly clock?: Clock;
}

/** A request that has reached a scripted upstream. */
export interface RecordedRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  /** As text, once it has come whole; as far as it has come before. */
  readonly body: string;
  readonly step: Step;
  /** Grows with each request over all scripted upstreams of the process. */
  readonly order: number;
}

/** An upstream on a port of 127.0.0.1 that does as it is told. Made by `scriptedUpstream`. */
export class ScriptedUpstream implements AsyncDisposable {
  readonly name: string;
  /** What has come, in the order of arrival. */
  readonly requests: RecordedRequest[] = [];
  readonly #options: ScriptedUpstreamOptions;
  readonly #server = createServer((req, res) => this.#onRequest(req, res));
  #steps: readonly Step[];
  #next = 0;
  #port = 0;

  constructor(steps: readonly Step[], options: ScriptedUpstreamOptions) {
    checkSteps(steps);
    this.name = options.name ?? "upstream";
    this.#steps = steps;
    this.#options = options;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Begins another script with the next request. */
  async script(steps: readonly Step[]): Promise<void> {
    checkSteps(steps);
    this.#steps = steps;
    this.#next = 0;
    if (this.#step === "refuse") await this.close();
    else await this.listen();
  }

  /** Listens, on the port that it had before. After a `refuse` the steps behind it follow, or `ok` when there are none. */
  async listen(): Promise<void> {
    if (this.#server.listening) return;
    while (this.#port !== 0 && this.#step === "refuse") this.#advance();
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
    this.#port = (this.#server.address() as AddressInfo).port;
    if (this.#step === "refuse") await this.close();
  }

  /** Stops listening, and ends every connection. */
  async close(): Promise<void> {
    if (!this.#server.listening) return this.#server.closeAllConnections();
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  get #step(): Step {
    return this.#steps[this.#next] ?? "ok";
  }

  /** The last step stays, but for one that has been over since `listen`. */
  #advance(): void {
    const last = this.#next >= this.#steps.length - 1;
    if (last && this.#options.loop === true) this.#next = 0;
    else if (!last || this.#step === "refuse") this.#next++;
    // Nothing but refusals cannot begin anew.
    if (this.#steps.every((step) => step === "refuse")) this.#next = this.#steps.length;
  }

  #onRequest(req: IncomingMessage, res: ServerResponse): void {
    if (req.url === this.#options.healthPath) return void res.end();
    const step = this.#step;
    // It came over a connection from before.
    if (step === "refuse") return void req.socket.resetAndDestroy();
    this.#advance();
    const { method = "", url = "", headers } = req;
    const request = { method, url, headers, body: "", step, order: nextOrder() };
    this.requests.push(request);
    const { slowMs = 1_000, clock = systemClock } = this.#options;
    req.setEncoding("utf8").on("data", (text: string) => {
      request.body += text;
    });
    req.on("error", () => {});
    req.on("end", () => perform(step, req, res, { name: this.name, slowMs, clock }));
    // Whoever comes next is refused: those who have been heard still get their answer.
    if (this.#step === "refuse") this.#refuseAfter(res);
  }

  #refuseAfter(res: ServerResponse): void {
    this.#server.close();
    this.#server.closeIdleConnections();
    res.shouldKeepAlive = false;
  }
}

let lastOrder = 0;

function nextOrder(): number {
  lastOrder += 1;
  return lastOrder;
}

/**
 * Starts an upstream that takes the next of its steps for each request, and repeats the last.
 *
 * @example
 * const flaky = await scriptedUpstream(["ok", "reset", "503", "ok"], { name: "flaky" });
 */
export async function scriptedUpstream(
  steps: readonly Step[] = ["ok"],
  options: ScriptedUpstreamOptions = {},
): Promise<ScriptedUpstream> {
  const upstream = new ScriptedUpstream(steps, options);
  await upstream.listen();
  return upstream;
}
