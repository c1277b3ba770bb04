import type { IncomingMessage } from "node:http";
import { isIPv6 } from "node:net";
import { HttpError } from "../http/http-error.ts";
import { limits } from "../limits.ts";

interface Attempts {
  count: number;
  /** When counting begins anew, on the monotonic clock. */
  readonly endsAt: number;
}

/** Bounds the wrong tokens that one address may send, so that a weak token cannot be guessed at the rate of the network. */
export class AttemptLimit {
  readonly #max: number;
  readonly #now: () => number;
  /** In the order of their first attempt. */
  readonly #byAddress = new Map<string, Attempts>();

  constructor(max: number, now: () => number = () => performance.now()) {
    this.#max = max;
    this.#now = now;
  }

  /** Throws a 429 while the client's address is over the limit, whatever token it sends now. */
  check(req: IncomingMessage): void {
    const attempts = this.#attemptsOf(addressOf(req));
    if (attempts === undefined || attempts.count < this.#max) return;
    const seconds = Math.max(1, Math.ceil((attempts.endsAt - this.#now()) / 1_000));
    const message = `too many wrong tokens from this address; try again in ${seconds} s`;
    throw new HttpError(429, "too_many_attempts", message, { "retry-after": String(seconds) });
  }

  countWrong(req: IncomingMessage): void {
    const address = addressOf(req);
    const attempts = this.#attemptsOf(address);
    if (attempts !== undefined) return void attempts.count++;
    const [oldest] = this.#byAddress.keys();
    if (oldest !== undefined && this.#byAddress.size >= limits.attemptAddresses) this.#byAddress.delete(oldest);
    this.#byAddress.set(address, { count: 1, endsAt: this.#now() + limits.attemptWindowMs });
  }

  #attemptsOf(address: string): Attempts | undefined {
    const attempts = this.#byAddress.get(address);
    if (attempts === undefined || attempts.endsAt > this.#now()) return attempts;
    this.#byAddress.delete(address);
    return undefined;
  }
}

/** An IPv6 client has a whole /64 of addresses. Unix sockets have none. */
function addressOf({ socket: { remoteAddress = "" } }: IncomingMessage): string {
  if (!isIPv6(remoteAddress) || remoteAddress.startsWith("::ffff:")) return remoteAddress;
  const [head = "", tail = ""] = remoteAddress.replace(/%.*$/, "").split("::");
  const groups = [head, tail].map((part) => (part === "" ? [] : part.split(":")));
  const zeros = Array.from({ length: 8 - groups.flat().length }, () => "0");
  return [...(groups[0] ?? []), ...zeros, ...(groups[1] ?? [])].slice(0, 4).join(":");
}
