import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as (options?: { readonly type: "minor" }) => void;

/** Bytes that are really held, on the heap and in buffers. */
export function heldBytes(): number {
  // What the first one finds of buffers is given back in the background, at the latest when the second one begins.
  collectGarbage();
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** By how many bytes the old generation grows after a full collection, while a hundred turns bring things and take them away. */
export function agedBytes(turn: () => void): number {
  const aging = startAging();
  for (let turns = 1; turns <= 100; turns++) {
    turn();
    if (turns % 2 === 0) aging.scavenge();
  }
  return aging.bytes();
}

/** Collects everything, and tells of scavenges from then on. */
export function startAging(): { scavenge(): void; bytes(): number } {
  collectGarbage();
  const before = oldBytes();
  return { scavenge: () => collectGarbage({ type: "minor" }), bytes: () => oldBytes() - before };
}

function oldBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name: name }) => name === "old_space")?.space_used_size ?? Number.NaN;
}
