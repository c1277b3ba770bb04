import { describe, expect, test } from "vitest";
import { Group } from "./group.ts";

function groupOf(participants: number, maxInFlight: number, seed = 1, queue = { max: 1_000, timeout: "60s" as const }) {
  const group = new Group(participants, seed);
  const options = { upstreams: [{ id: "a", url: "http://a.internal:80", maxInFlight }], queue };
  const members = Array.from({ length: participants }, () => group.add(options));
  let most = 0;
  group.onCheck = () => {
    most = Math.max(
      most,
      group.total((member) => member.inFlight("a")),
    );
  };
  return { group, members, options, most: () => most };
}

/** The mean of what is in flight over `ms`. */
function meanInFlight(group: Group, ms: number): number {
  let sum = 0;
  for (let at = 0; at < ms; at++) {
    group.clock.advance(1);
    sum += group.total((member) => member.inFlight("a"));
  }
  return sum / ms;
}

describe("four participants with one upstream of 10", () => {
  test("200 clients: never above the limit, and nearly all of it in use", () => {
    const { group, members, most } = groupOf(4, 10);
    for (const member of members) for (let n = 0; n < 50; n++) member.client(() => 5 + group.random() * 40);
    group.clock.advance(1_000);
    const mean = meanInFlight(group, 20_000);
    expect(most()).toBe(10);
    expect(mean).toBeGreaterThan(9.6);
  });

  test("clients of one participant alone get all of it", () => {
    const { group, members, most } = groupOf(4, 10);
    for (let n = 0; n < 50; n++) members[1]?.client(() => 20);
    group.clock.advance(3_000);
    const mean = meanInFlight(group, 5_000);
    expect(mean).toBeGreaterThan(9.9);
    expect(most()).toBe(10);
  });
});

describe.each([1, 2, 3, 4, 5])("a limit of %s for four participants", (limit) => {
  test("serves each of them, without a timeout", () => {
    const { group, members, most } = groupOf(4, limit);
    for (const member of members) for (let n = 0; n < 5; n++) member.client(() => 5 + group.random() * 20);
    group.clock.advance(1_000);
    const before = members.map(({ served }) => served);
    const mean = meanInFlight(group, 10_000);
    const served = members.map((member, index) => member.served - (before[index] as number));
    expect(most()).toBe(limit);
    expect(Math.min(...served)).toBeGreaterThan(Math.max(...served) * 0.7);
    expect(members.map(({ timedOut, refused }) => timedOut + refused)).toEqual([0, 0, 0, 0]);
    expect(mean).toBeGreaterThan(limit * 0.8);
  });

  test("serves a single request of each, one after the other", () => {
    const { group, members } = groupOf(4, limit);
    for (const member of members) {
      let ms = -1;
      const began = group.clock.now();
      member.request(
        () => 10,
        () => {
          ms = group.clock.now() - began;
        },
      );
      group.clock.advance(3_000);
      expect(ms).toBeGreaterThan(0);
      expect(ms).toBeLessThan(100);
    }
  });
});

describe("a short queue", () => {
  test.each([
    [1, 0],
    [2, 0],
    [4, 0],
    [1, 1],
  ])("an idle group with maxInFlight %s and queue.max %s refuses no request", (limit, max) => {
    const { group, members, most } = groupOf(4, limit, 1, { max, timeout: "60s" });
    for (let n = 0; n < 20; n++) {
      members[n % 4]?.request(() => 10);
      group.clock.advance(300);
    }
    for (let n = 0; n < 20; n++) {
      members[3]?.request(() => 10);
      group.clock.advance(300);
    }
    expect(members.map(({ served, refused, timedOut }) => [served, refused, timedOut])).toEqual([
      [5, 0, 0],
      [5, 0, 0],
      [5, 0, 0],
      [25, 0, 0],
    ]);
    expect(most()).toBe(1);
  });

  test("a request is refused soon if the others give no place, and at once if they have none to give", () => {
    const { group, members, most } = groupOf(2, 2, 1, { max: 0, timeout: "60s" });
    const [a, b] = members as [(typeof members)[0], (typeof members)[0]];
    const refusedIn = () => {
      const began = group.clock.now();
      let ms = -1;
      b.request(
        () => 10,
        () => {
          ms = group.clock.now() - began;
        },
      );
      group.clock.advance(1_000);
      return ms;
    };
    for (const member of members) member.request(() => 60_000);
    group.clock.advance(100);
    expect(refusedIn()).toBe(250);
    expect(b.pool.queue.depth).toBe(0);
    a.die();
    group.clock.advance(100);
    b.request(() => 60_000);
    group.clock.advance(1_000);
    expect(refusedIn()).toBe(0);
    expect([b.refused, b.inFlight("a"), most()]).toEqual([2, 2, 2]);
  });
});
