import { Agent, get } from "node:http";
import { seededRandom } from "evenkeel";

/** Requests that are sent at once in each interval: about 60 in a second. */
const burst = 3;
const intervalMs = 50;
const maxInFlight = 50;

/** The paths of the demo's requests. A path that is listed more often is requested more often. */
const paths = [
  "/",
  "/",
  "/cart",
  "/products/7",
  "/products/42",
  "/api/orders",
  "/api/orders/1234",
  "/api/users/7",
  "/reports/daily",
] as const;

/** Sends requests to a proxy, the same ones after each start, until `stop`. */
export class DemoTraffic {
  readonly #url: string;
  readonly #random: () => number;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: maxInFlight });
  readonly #timer: NodeJS.Timeout;
  #inFlight = 0;

  constructor(url: string, seed: number) {
    this.#url = url;
    this.#random = seededRandom(seed);
    this.#timer = setInterval(() => {
      for (let count = 0; count < burst && this.#inFlight < maxInFlight; count++) this.#send();
    }, intervalMs).unref();
  }

  /** Sends no more requests. Those in flight get their responses. */
  stop(): void {
    clearInterval(this.#timer);
  }

  close(): void {
    this.stop();
    this.#agent.destroy();
  }

  #send(): void {
    const path = paths[Math.floor(this.#random() * paths.length)] ?? "/";
    this.#inFlight++;
    get(`${this.#url}${path}`, { agent: this.#agent, headers: { "user-agent": "evenkeel-demo" } })
      // A response that breaks off is an error of the request or of the response, before `close`.
      .on("response", (response) => response.on("error", () => {}).resume())
      .on("error", () => {})
      .on("close", () => {
        this.#inFlight--;
      });
  }
}
