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

/**
 * By how many bytes the old generation grows after a full collection, while in each of a hundred turns all of 64 members of
 * something make room for others.
 */
export function turnoverBytes<Member>(
  make: () => Member,
  add: (member: Member) => void,
  remove: (member: Member) => void,
): number {
  const some = () => Array.from({ length: 64 }, make);
  let present = some();
  for (const member of present) add(member);
  const aging = startAging();
  for (let turn = 1; turn <= 100; turn++) {
    const next = some();
    for (const [index, member] of present.entries()) {
      add(next[index] as Member);
      remove(member);
    }
    present = next;
    if (turn % 2 === 0) aging.scavenge();
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
