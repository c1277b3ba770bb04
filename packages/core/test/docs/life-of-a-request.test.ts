import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";

const root = path.join(import.meta.dirname, "../../../..");
const page = readFileSync(path.join(root, "docs/life-of-a-request.md"), "utf8");
const files = [...page.matchAll(/(?<![\w/.-])[a-z0-9/-]+\.ts\b/g)].map(([file]) => file);

test.each([...new Set(files)])("docs/life-of-a-request.md names %s, which exists", (file) => {
  expect(existsSync(path.join(root, "packages/core/src", file))).toBe(true);
});

test("docs/life-of-a-request.md names files of every folder on the way", () => {
  const folders = new Set(files.map((file) => file.split("/")[0]));
  expect([...folders]).toEqual(
    expect.arrayContaining(["attempts", "balancer", "client", "config", "forward", "observe", "pool", "request"]),
  );
});
