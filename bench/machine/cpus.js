// Who runs where: the proxy under test has one core for itself, and what loads it and what stands behind it the others.

import { readFileSync } from "node:fs";
import { has } from "./commands.js";

const cpus = has("taskset") ? allowed() : [];

/** Undefined where nothing can be pinned, or where there is but one core. */
export const pinning = cpus.length < 2 ? undefined : { proxy: [cpus[0]], others: cpus.slice(1) };

/** A command as it is started on some of the cores. */
export function pinned(place, [file, ...words]) {
  if (pinning === undefined) return [file, ...words];
  return ["taskset", "-c", pinning[place].join(","), file, ...words];
}

/** Those that this process may run on, which in a container are not all. */
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
