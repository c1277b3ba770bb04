import { expect, test } from "vitest";
import type { PoolOptions } from "../../src/config/options.ts";
import type { Use } from "../../src/pool/limits/pool-limits.ts";
import { Group, type Participant } from "./group.ts";

/** Largest numbers of a limit: of what participants may hold now, and of the totals that are in force in any of them. */
interface Sum {
  mayHold: number;
  total: number;
}

/** For each limit what the participants may hold together: the larger of the share in force and what is held, of each. */
function sums(group: Group): Map<string, Sum> {
  const found = new Map<string, Sum>();
  for (const { pool } of group.members) {
    for (const use of pool.limits.uses()) {
      const key = `${use.limit} ${use.upstream ?? ""}`;
      const sum = found.get(key) ?? { mayHold: 0, total: 0 };
      sum.mayHold += Math.max(use.held, use.share);
      sum.total = Math.max(sum.total, use.total);
      found.set(key, sum);
    }
  }
  return found;
}

/**
 * Checks the bound at every event: what participants may hold together never exceeds the largest total in force in any of them,
 * nor grows while it does after a reload that has lowered the total.
 */
function guard(group: Group): void {
  let before = new Map<string, Sum>();
  group.onCheck = () => {
    const now = sums(group);
    for (const [key, { mayHold, total }] of now) {
      const most = Math.max(total, before.get(key)?.mayHold ?? Infinity);
      if (mayHold > most) throw new Error(`at ${group.clock.now()}: ${key} is ${mayHold}, at most ${most} expected`);
    }
    before = now;
  };
}

function optionsOf(maxInFlight: number, queue: number, minRetriesPerSecond: number, withB: boolean): PoolOptions {
  return {
    upstreams: [
      { id: "a", url: "http://a.internal:80", maxInFlight },
      ...(withB ? [{ id: "b", url: "http://b.internal:80", maxInFlight: 3 }] : []),
    ],
    queue: { max: queue, timeout: "10s" },
    retry: { minRetriesPerSecond, budget: 0.1 },
  };
}

/** Retries at a rate that the requests do not cover. */
function retryAtRandom(group: Group, member: Participant): void {
  if (!member.alive || group.quiet) return;
  if (member.pool.retryBudget.tryWithdraw()) group.check();
  group.clock.setTimeout(() => retryAtRandom(group, member), group.random() * 400);
}

function load(group: Group, member: Participant): void {
  const clients = Math.floor(group.random() * group.random() * 40);
  const pause = group.random() < 0.5 ? 0 : 200;
  for (let n = 0; n < clients; n++) {
    member.client(
      () => 1 + group.random() ** 6 * 3_000,
      () => group.random() * pause,
    );
  }
  retryAtRandom(group, member);
}

/** One event that a group has to cope with. */
function disturb(group: Group, state: { options: PoolOptions }, next: () => PoolOptions): void {
  const { clock, random, network } = group;
  const draw = random();
  if (draw < 0.25) {
    const options = next();
    state.options = options;
    // A reload reaches the participants one after the other, and is over before the next one.
    for (const member of group.members) {
      clock.setTimeout(() => member.alive && member.reload(options), random() * 300);
    }
    clock.advance(300);
  } else if (draw < 0.5) {
    if (group.members.size === 0) return;
    group.pick().die();
    clock.setTimeout(() => load(group, group.add(state.options)), random() * 500);
  } else if (draw < 0.7) {
    const [member] = group.members;
    if (member === undefined) return;
    member.cutOff = true;
    clock.setTimeout(() => {
      member.cutOff = false;
    }, random() * 5_000);
  } else {
    network.delayMs = [random() * 5, 5 + random() * 400];
    network.loss = random() < 0.5 ? 0 : random() * 0.5;
    network.doubled = random() * 0.3;
  }
}

/** The use of a limit, summed over the participants. */
function used(group: Group, of: (use: Use) => boolean): number {
  return group.total((member) => [...member.pool.limits.uses()].filter(of).reduce((sum, { held }) => sum + held, 0));
}

// The large ones have found mistakes that few others find.
test.each([1, 2, 3, 4, 1006, 1087, 1111])("the bound holds whatever happens (seed %s)", (seed) => {
  const slots = 1 + (seed % 5);
  const group = new Group(slots, seed);
  const { clock, random, network } = group;
  guard(group);
  const next = () =>
    optionsOf(Math.ceil(random() ** 2 * 30), Math.ceil(random() * 60), Math.ceil(random() * 3), random() < 0.5);
  const state = { options: next() };
  for (let n = 0; n < slots; n++) load(group, group.add(state.options));
  for (let n = 0; n < 40; n++) {
    clock.advance(random() * 1_500);
    disturb(group, state, next);
  }
  // Calm again: whatever was lost on the way, all of the limit is used where there is demand.
  Object.assign(network, { delayMs: [1, 2], loss: 0, doubled: 0 });
  const last = optionsOf(7, 50, 1, false);
  clock.advance(6_000);
  for (const member of group.members) member.reload(last);
  group.quiet = true;
  clock.advance(20_000);
  expect(used(group, ({ limit }) => limit === "maxInFlight")).toBe(0);
  group.quiet = false;
  const busy = group.pick();
  for (let n = 0; n < 20; n++) busy.client(() => 50);
  clock.advance(3_000);
  let sum = 0;
  for (let n = 0; n < 500; n++) {
    clock.advance(1);
    sum += busy.inFlight("a");
  }
  expect(sum / 500).toBeGreaterThan(6.9);
});
