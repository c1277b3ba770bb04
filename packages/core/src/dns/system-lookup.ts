import dns from "node:dns";
import type { HostAddress } from "./hosts-file.ts";

/** Resolves a name in the system's own way, or rejects with one of node's codes. */
export type SystemLookup = (hostname: string, signal: AbortSignal) => Promise<readonly HostAddress[]>;

/**
 * getaddrinfo cannot be cancelled and holds one of the few threads that file access and compression share, so it runs for
 * one name at a time in the whole process. Lookups that wait for their turn leave when their signal is aborted.
 */
const waiting: Set<() => void> = new Set();
let busy = false;

/** Asks getaddrinfo, which knows what DNS alone does not: mDNS, and whatever else nsswitch.conf(5) names. */
export const systemLookup: SystemLookup = (hostname, signal) =>
  new Promise((resolve, reject) => {
    const onAbort = () => {
      waiting.delete(run);
      reject(Object.assign(new Error("the lookup is over"), { code: "ECANCELLED" }));
    };
    const run = () => {
      busy = true;
      dns.lookup(hostname, { all: true, verbatim: true }, (error, addresses) => {
        busy = false;
        signal.removeEventListener("abort", onAbort);
        if (error === null) resolve(addresses as HostAddress[]);
        else reject(error);
        runNext();
      });
    };
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    if (busy) waiting.add(run);
    else run();
  });

function runNext(): void {
  for (const run of waiting) {
    waiting.delete(run);
    return run();
  }
}
