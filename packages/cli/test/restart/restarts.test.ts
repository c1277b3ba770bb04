import { pino } from "pino";
import { expect, onTestFinished, test } from "vitest";
import { undividedLength } from "../../src/log/shared-streams.ts";
import { type RestartHost, Restarts } from "../../src/restart/restarts.ts";

test("a process that the system does not start is a failed restart, which is logged", async () => {
  const lines: string[] = [];
  const restarts = new Restarts(pino({}, { write: (line) => void lines.push(line) }));
  const host: RestartHost = {
    version: "1",
    listen: [],
    admin: undefined,
    intent: async () => [],
    sockets: () => [],
    end: () => {},
    replacedBy: () => expect.unreachable(),
  };
  // Longer than the system allows a variable to be: E2BIG.
  process.env["EVENKEEL_TEST"] = "x".repeat(4_000_000);
  onTestFinished(() => {
    delete process.env["EVENKEEL_TEST"];
  });
  await expect(restarts.run(host)).rejects.toThrow(/could not be started: .*E2BIG/);
  expect(lines.join("")).toMatch(/the restart failed, and nothing has changed: .*E2BIG/);
  expect(await restarts.settled()).toBe(false);
  // The standard streams are not shared any more.
  const block = Buffer.alloc(10_000, "line\n");
  expect(undividedLength(block)).toBe(block.length);
});
