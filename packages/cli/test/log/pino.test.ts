import { createProxy } from "evenkeel";
import { pino } from "pino";
import { expect, onTestFinished, test } from "vitest";

test("pino and its children are recognized: the message and the fields of an event are in one line", () => {
  const lines: unknown[] = [];
  const root = pino({ base: null, timestamp: false }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  for (const logger of [root, root.child({ app: "shop" })]) {
    const upstreams = [{ id: "a", url: "http://127.0.0.1:1" }];
    const proxy = createProxy({ upstreams }, { logger });
    onTestFinished(() => proxy.close({ timeout: "0s" }));
    proxy.pools.get("default")?.setState("a", "draining");
  }
  const fields = { level: 30, pool: "default", upstream: "a", from: "active", to: "draining" };
  const line = { ...fields, msg: "default/a is draining, was active" };
  expect(lines.filter((each) => (each as { to?: unknown }).to === "draining")).toEqual([
    line,
    { ...line, app: "shop" },
  ]);
});
