import dns from "node:dns";
import type { HostAddress } from "./hosts-file.ts";

/** Resolves a name with the system's resolver. Rejects with one of Node's codes. */
export type SystemLookup = (hostname: string, signal: AbortSignal) => Promise<readonly HostAddress[]>;

/**
 * getaddrinfo cannot be cancelled and holds one of the few threads that file access and compression share, so it runs for one
 * name at a time in the whole process. A waiting lookup leaves the queue when its signal is aborted.
 */
const waiting: Set<() => void> = new Set();
let busy = false;

/** Resolves a name with getaddrinfo, which also uses mDNS and other sources of nsswitch.conf(5). */
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
