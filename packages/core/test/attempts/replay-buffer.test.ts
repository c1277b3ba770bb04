import { describe, expect, test } from "vitest";
import { ReplayBuffer } from "../../src/attempts/replay-buffer.ts";

const bytes = (text: string) => Buffer.from(text);

function replayed(buffer: ReplayBuffer): string {
  const written: Uint8Array[] = [];
  buffer.replay({
    write(chunk) {
      written.push(chunk);
      return true;
    },
  });
  return Buffer.concat(written).toString();
}

describe("a body read in chunks", () => {
  test("can be replayed repeatedly up to the limit", () => {
    const buffer = new ReplayBuffer(4, -1);
    expect([buffer.complete, replayed(buffer)]).toEqual([true, ""]);
    buffer.add(bytes("ab"));
    buffer.add(bytes("cd"));
    expect([buffer.complete, replayed(buffer), replayed(buffer)]).toEqual([true, "abcd", "abcd"]);
    buffer.add(bytes("e"));
    expect([buffer.complete, replayed(buffer)]).toEqual([false, ""]);
    buffer.add(bytes(""));
    expect(buffer.complete).toBe(false);
  });

  test("is not copied when its known length exceeds the limit", () => {
    const buffer = new ReplayBuffer(4, 5);
    buffer.add(bytes("a"));
    expect([buffer.complete, replayed(buffer)]).toEqual([false, ""]);
    expect(new ReplayBuffer(4, 4).complete).toBe(true);
  });

  test("keeps an unsent chunk beyond the limit, and counts it", () => {
    const buffer = new ReplayBuffer(4, -1);
    buffer.add(bytes("abc"));
    buffer.addUnsent(bytes("def"));
    expect([buffer.complete, replayed(buffer)]).toEqual([true, "abcdef"]);
    buffer.add(bytes("g"));
    expect([buffer.complete, replayed(buffer)]).toEqual([false, ""]);
  });
});

test("a body in memory can be replayed at any size, until it is dropped", () => {
  const buffer = ReplayBuffer.of(bytes("x".repeat(100)));
  expect([buffer.complete, replayed(buffer)]).toEqual([true, "x".repeat(100)]);
  buffer.drop();
  expect([buffer.complete, replayed(buffer)]).toEqual([false, ""]);
});
