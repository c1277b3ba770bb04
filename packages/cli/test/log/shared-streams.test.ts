import { expect, test } from "vitest";
import { shareStandardStreams, undividedLength } from "../../src/log/shared-streams.ts";

test("while streams are shared, blocks are written in parts of whole lines that a pipe takes undivided", () => {
  const line = `${"a".repeat(999)}\n`;
  const block = Buffer.from(line.repeat(10));
  expect(undividedLength(block)).toBe(10_000);
  const ends = [shareStandardStreams(), shareStandardStreams()];
  expect(undividedLength(block)).toBe(4_000);
  expect(undividedLength(Buffer.from(line))).toBe(1_000);
  // A longer line is not divided, and a block without a line end neither.
  const long = `${"b".repeat(9_999)}\n`;
  expect(undividedLength(Buffer.from(long + line))).toBe(10_000);
  expect(undividedLength(Buffer.from("c".repeat(5_000)))).toBe(5_000);
  ends[0]?.();
  ends[0]?.();
  expect(undividedLength(block)).toBe(4_000);
  ends[1]?.();
  expect(undividedLength(block)).toBe(10_000);
});
