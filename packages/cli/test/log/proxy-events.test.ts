import { EventEmitter } from "node:events";
import type { AdminTarget } from "@evenkeel/admin";
import { pino } from "pino";
import { expect, test } from "vitest";
import { logProxyEvents } from "../../src/log/proxy-events.ts";

test("the line of a health change has the reason that a probe could not connect", () => {
  const target = new EventEmitter();
  const lines: { level: number; msg: string }[] = [];
  logProxyEvents(
    target as unknown as AdminTarget,
    pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) }),
  );
  const verdict = { pool: "api", upstream: "a", from: "unknown", to: "unhealthy", reason: "tls_failed" } as const;
  target.emit("health", { ...verdict, cause: "certificate has expired (CERT_HAS_EXPIRED)" });
  target.emit("health", { ...verdict, reason: "timeout" });
  expect(lines.map(({ level, msg }) => [level, msg])).toEqual([
    [40, "api/a is unhealthy: tls_failed, certificate has expired (CERT_HAS_EXPIRED)"],
    [40, "api/a is unhealthy: timeout"],
  ]);
});
