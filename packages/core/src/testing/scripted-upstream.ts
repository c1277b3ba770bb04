import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Clock, systemClock } from "../runtime/clock.ts";
import { checkSteps, performStep, type Step } from "./steps.ts";

export interface ScriptedUpstreamOptions {
  /** Its name in assertions, and the default body of a 200 response. Default: "upstream". */
  readonly name?: string;
  /** Starts again with the first step after the last one, instead of repeating the last. Default: false. */
  readonly loop?: boolean;
  /** The delay of `slow` in milliseconds. Default: 1,000. */
  readonly slowMs?: number;
  /** Requests for this path get a 200 response. They are not recorded and use up no step. Default: none. */
  readonly healthPath?: string;
  /** The clock of delays. Default: the system's. */
  readonly clock?: Clock;
}

/** A request that a scripted upstream has received. */
export interface RecordedRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  /** The body as text, as far as it has been received. */
  readonly body: string;
  readonly step: Step;
  /** A number that increases with each request to any scripted upstream of the process. */
  readonly order: number;
}

/** An upstream on a port of 127.0.0.1 that responds as its script says. Created by `scriptedUpstream`. */
export class ScriptedUpstream implements AsyncDisposable {
  readonly name: string;
  /** The requests received, in the order of arrival. */
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

  /** Replaces the script, starting with the next request. Throws a `TypeError` for an unknown step. */
  async script(steps: readonly Step[]): Promise<void> {
    checkSteps(steps);
    this.#steps = steps;
    this.#next = 0;
    if (this.#step === "refuse") await this.close();
    else await this.listen();
  }

  /** Listens again, on the same port. Continues with the step after `refuse`, or with `ok` if there is none. */
  async listen(): Promise<void> {
    if (this.#server.listening) return;
    while (this.#port !== 0 && this.#step === "refuse") this.#advance();
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
    this.#port = (this.#server.address() as AddressInfo).port;
    if (this.#step === "refuse") await this.close();
  }

  /** Stops listening and closes every connection. */
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

  /** Repeats the last step, except a `refuse`, which `listen` has ended. */
  #advance(): void {
    const last = this.#next >= this.#steps.length - 1;
    if (last && this.#options.loop === true) this.#next = 0;
    else if (!last || this.#step === "refuse") this.#next++;
    // With nothing but `refuse`, a loop would never end.
    if (this.#steps.every((step) => step === "refuse")) this.#next = this.#steps.length;
  }

  #onRequest(req: IncomingMessage, res: ServerResponse): void {
    if (req.url === this.#options.healthPath) return void res.end();
    const step = this.#step;
    // The request came over a connection that was open before the server stopped listening.
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
    req.on("end", () => performStep(step, req, res, { name: this.name, slowMs, clock }));
    // New connections are refused from now on, but this request still gets its response.
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
 * Starts an upstream that performs the next of its steps for each request and repeats the last. Throws a `TypeError` for an
 * unknown step.
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
