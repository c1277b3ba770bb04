import { expect, test } from "vitest";
import { combineHashes, hash64 } from "../../src/balancer/stable-hash.ts";
import { limits } from "../../src/config/defaults.ts";

const texts = ["", "a", "user-1", "10.0.0.1:3000", "ключ", "x".repeat(70_000)];

test("hashes never change", () => {
  expect(texts.map((text) => format(hash64(text)))).toEqual([
    "ab3e7c0bb18abdc1",
    "1a80b1b3d0c7e1ca",
    "778f8aec0114fcd7",
    "73fd46aea51c06b2",
    "bddc5d78c3f49920",
    "26fceeae6d0c0681",
  ]);
});

test("a million similar keys do not collide, and the halves collide no more than at random", () => {
  const count = 1_000_000;
  const whole = new BigUint64Array(count);
  const halves = [new Uint32Array(count), new Uint32Array(count)] as const;
  for (let index = 0; index < count; index++) {
    const { high, low } = hash64(`user-${index}`);
    whole[index] = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
    halves[0][index] = high;
    halves[1][index] = low;
  }
  expect(collisions(whole)).toBe(0);
  // 116 are expected at random.
  for (const half of halves) expect(collisions(half)).toBeLessThan(160);
});

test("a long text is hashed by its ends and its length, in bounded time", () => {
  const half = "y".repeat(limits.hashKeyLength / 2);
  const long = (middle: string) => format(hash64(half + middle + half));
  expect(long("one")).toBe(long("two"));
  expect(long("one")).not.toBe(long("three"));
  expect(format(hash64(`1${half}${half}`))).not.toBe(format(hash64(`2${half}${half}`)));
  expect(format(hash64(`${half}${half}1`))).not.toBe(format(hash64(`${half}${half}2`)));
  // A text up to the limit is hashed completely.
  const fits = (letter: string) => format(hash64(half.slice(1) + letter + half));
  expect(fits("1")).not.toBe(fits("2"));
});

test("combined hashes are above 0 and below 1, also for extreme values", () => {
  const edges = [0, 1, -1, 0x7fffffff, -0x80000000];
  for (const one of edges) {
    for (const other of edges) {
      const unit = combineHashes(one, other, other, one);
      expect(unit).toBeGreaterThan(0);
      expect(unit).toBeLessThan(1);
    }
  }
});

test("a key combined with similar ids is uniform and independent", () => {
  const [one, other] = [hash64("10.0.0.1:3000"), hash64("10.0.0.1:3001")];
  const cells = new Array<number>(64).fill(0);
  const count = 200_000;
  for (let index = 0; index < count; index++) {
    const { high, low } = hash64(`session=${index}`);
    const cell =
      Math.floor(combineHashes(one.high, one.low, high, low) * 8) * 8 +
      Math.floor(combineHashes(other.high, other.low, high, low) * 8);
    cells[cell] = (cells[cell] ?? 0) + 1;
  }
  const chiSquare = cells.reduce((sum, seen) => sum + (seen - count / 64) ** 2 / (count / 64), 0);
  // 63 degrees of freedom: exceeds 103 once in 1,000 times.
  expect(chiSquare).toBeLessThan(103);
});

function format({ high, low }: { high: number; low: number }): string {
  return [high, low].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("");
}

function collisions(hashes: BigUint64Array | Uint32Array): number {
  hashes.sort();
  let count = 0;
  for (let index = 1; index < hashes.length; index++) if (hashes[index] === hashes[index - 1]) count++;
  return count;
}
