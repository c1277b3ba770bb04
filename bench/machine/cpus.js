// CPU pinning: the proxy under test has its own core, and the load and the backends have the others.

import { readFileSync } from "node:fs";
import { has } from "./commands.js";

const cpus = has("taskset") ? allowed() : [];

/** Undefined if processes cannot be pinned, or if there is only one core. */
export const pinning = cpus.length < 2 ? undefined : { proxy: [cpus[0]], others: cpus.slice(1) };

/** Returns the command that runs another one on some of the cores. */
export function pinned(place, [file, ...words]) {
  if (pinning === undefined) return [file, ...words];
  return ["taskset", "-c", pinning[place].join(","), file, ...words];
}

/** The cores that this process may use: in a container not all of them. */
function allowed() {
  try {
    const [, list] = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync("/proc/self/status", "latin1")) ?? [];
    return list.split(",").flatMap((range) => {
      const [first, last = first] = range.split("-").map(Number);
      return Array.from({ length: last - first + 1 }, (_, index) => first + index);
    });
  } catch {
    return [];
  }
}
