import { seededRandom } from "evenkeel";
import { virtualClock } from "evenkeel/testing";
import { expect, test } from "vitest";
import { Distribution } from "../../src/workers/distribution.ts";

interface Sent {
  readonly worker: string;
  readonly id: number;
  readonly connection: string;
}

function startDistribution({ window = 2, maxWaiting = 100 } = {}) {
  const sent: Sent[] = [];
  const released: string[] = [];
  const dropped: string[] = [];
  const clock = virtualClock();
  const distribution = new Distribution<string>(
    {
      send: (worker, id, connection) => void sent.push({ worker, id, connection }),
      release: (connection) => void released.push(connection),
      drop: (connection) => void dropped.push(connection),
    },
    { clock, window, maxWaiting },
  );
  return { clock, distribution, sent, released, dropped };
}

test("a connection goes to the worker with the fewest, and equals take turns", () => {
  const { distribution, sent, released } = startDistribution();
  for (const id of ["w1", "w2"]) distribution.join(id);
  const open = new Map([
    ["w1", 0],
    ["w2", 0],
  ]);
  for (let n = 0; n < 64; n++) {
    distribution.add(`c${n}`);
    const { worker, id } = sent.at(-1) as Sent;
    open.set(worker, (open.get(worker) ?? 0) + 1);
    distribution.confirmed(worker, id, open.get(worker) ?? 0);
  }
  expect([...open.values()]).toEqual([32, 32]);
  expect(released).toHaveLength(64);
  // Connections have closed in one worker.
  distribution.reported("w2", 30);
  distribution.add("next");
  expect(sent.at(-1)?.worker).toBe("w2");
});

test("connections wait for a worker, in order, and those over the bound are dropped", () => {
  const { distribution, sent, dropped } = startDistribution({ window: 2, maxWaiting: 3 });
  for (const name of ["a", "b", "c", "d"]) distribution.add(name);
  expect(dropped).toEqual(["d"]);
  distribution.join("w1");
  // The window is full: the third one waits until a connection is confirmed.
  expect(sent.map(({ connection }) => connection)).toEqual(["a", "b"]);
  distribution.confirmed("w1", sent[0]?.id ?? 0, 1);
  expect(sent.map(({ connection }) => connection)).toEqual(["a", "b", "c"]);
});

test("a burst waits for the worker with the fewest, but not for one that makes no progress", async () => {
  const { clock, distribution, sent } = startDistribution();
  for (const id of ["w1", "w2"]) distribution.join(id);
  const confirmed = new Set<number>();
  // Only the second worker confirms.
  const confirm = () => {
    for (const { worker, id } of sent) {
      if (worker !== "w2" || confirmed.has(id)) continue;
      confirmed.add(id);
      distribution.confirmed(worker, id, confirmed.size);
    }
  };
  for (let n = 0; n < 20; n++) {
    distribution.add(`c${n}`);
    confirm();
  }
  const countOf = (name: string) => sent.filter(({ worker }) => worker === name).length;
  expect([countOf("w1"), countOf("w2")]).toEqual([2, 5]);
  await clock.advance("50ms");
  confirm();
  expect(countOf("w2")).toBeGreaterThan(5);
});

test("what a worker has not confirmed goes to another one first, and its late confirmation has no effect", () => {
  const { distribution, sent, released } = startDistribution();
  distribution.join("w1");
  for (const name of ["a", "b", "c"]) distribution.add(name);
  distribution.confirmed("w1", sent[0]?.id ?? 0, 1);
  distribution.leave("w1");
  expect(released).toEqual(["a"]);
  distribution.join("w2");
  expect(sent.slice(3).map(({ worker, connection }) => [worker, connection])).toEqual([
    ["w2", "b"],
    ["w2", "c"],
  ]);
  distribution.confirmed("w1", sent[1]?.id ?? 0, 1);
  distribution.confirmed("w2", sent[1]?.id ?? 0, 1);
  expect(released).toEqual(["a"]);
});

test("a connection that was lost on the way goes to another worker, and the one that lost it rests", () => {
  const { distribution, sent } = startDistribution();
  distribution.join("w1");
  distribution.add("a");
  distribution.join("w2");
  // It has read everything up to `a`, and has not confirmed it.
  distribution.passed("w1", distribution.lastId);
  expect(sent.at(-1)).toMatchObject({ worker: "w2", connection: "a" });
  for (const name of ["b", "c"]) distribution.add(name);
  expect(sent.map(({ worker }) => worker)).toEqual(["w1", "w2", "w2"]);
  distribution.passed("w1", distribution.lastId);
  expect(sent.at(-1)).toMatchObject({ worker: "w1", connection: "c" });
});

test("every connection is released or dropped exactly once, whatever becomes of workers", () => {
  const random = seededRandom(15);
  const { distribution, sent, released, dropped } = startDistribution({ window: 3, maxWaiting: 20 });
  const alive = new Set<string>();
  let added = 0;
  let workers = 0;
  for (let step = 0; step < 20_000; step++) {
    const chance = random();
    const [worker] = [...alive].slice(Math.floor(random() * alive.size));
    if (chance < 0.5) distribution.add(`c${added++}`);
    else if (chance < 0.52 && alive.size < 4) {
      alive.add(`w${++workers}`);
      distribution.join(`w${workers}`);
    } else if (chance < 0.53 && worker !== undefined) {
      alive.delete(worker);
      distribution.leave(worker);
    } else if (chance < 0.55 && worker !== undefined) distribution.passed(worker, distribution.lastId);
    else {
      const one = sent[Math.floor(random() * sent.length)];
      if (one !== undefined) distribution.confirmed(one.worker, one.id, Math.floor(random() * 10));
    }
    expect(released.length + dropped.length + distribution.unconfirmed).toBe(added);
  }
  distribution.close();
  expect(new Set([...released, ...dropped]).size).toBe(added);
  expect(released.length + dropped.length).toBe(added);
});
