import { createProxy } from "evenkeel";
import { createServer } from "evenkeel/server";
import { expect, onTestFinished, test } from "vitest";
import { GroupReports } from "../../src/workers/group-reports.ts";
import type { Supervisor } from "../../src/workers/supervisor.ts";
import type { WorkerMessage, WorkerReport } from "../../src/workers/worker-messages.ts";
import type { WorkerProcess } from "../../src/workers/worker-process.ts";

test("a reply that is older than the last counts of a draining worker does not replace them", async () => {
  const proxy = createProxy({ upstreams: ["http://127.0.0.1:1"] });
  const server = createServer(proxy, { listen: "127.0.0.1:0" });
  onTestFinished(() => proxy.close());
  const status = server.status();
  const reportOf = (refused: number): WorkerReport => ({
    snapshot: proxy.snapshot(),
    status: { ...status, connections: { ...status.connections, refused } },
    process: { pid: 1, since: 0, eventLoopDelayMs: { p50: 0, p90: 0, p99: 0, max: 0 }, heapUsedBytes: 0, rssBytes: 0 },
  });
  const worker = {
    id: "a",
    state: "draining",
    // Both messages arrive in one turn of the event loop, so both are handled before the reply resolves.
    async ask() {
      reports.report(worker, reportOf(1));
      reports.report(worker, reportOf(5));
      return { type: "report", n: 1, report: reportOf(1) };
    },
  } as unknown as WorkerProcess;
  const supervisor = { workers: [worker], places: [] } as unknown as Supervisor;
  const reports = new GroupReports(supervisor, () => ({ waiting: 0, dropped: 0, acceptFailures: 0 }));
  onTestFinished(() => reports.close());
  await reports.refresh();
  expect(reports.status(status).connections.refused).toBe(5);
  reports.ended(worker);
  expect(reports.status(status).connections.refused).toBe(5);
});

test("a worker that was late is not waited for until it replies again", async () => {
  const replies: ((reply: WorkerMessage | undefined) => void)[] = [];
  const ask = () => new Promise<WorkerMessage | undefined>((resolve) => void replies.push(resolve));
  const worker = { state: "ready", ask } as unknown as WorkerProcess;
  const reports = new GroupReports({ workers: [worker] } as unknown as Supervisor, () => ({
    waiting: 0,
    dropped: 0,
    acceptFailures: 0,
  }));
  onTestFinished(() => reports.close());
  const late = reports.refresh();
  replies.shift()?.(undefined);
  await late;
  await reports.refresh();
  replies.shift()?.({ type: "confirmed", n: 1 });
  await Promise.resolve();

  let refreshed = false;
  const waits = reports.refresh().then(() => {
    refreshed = true;
  });
  await new Promise(setImmediate);
  expect(refreshed).toBe(false);
  replies.shift()?.({ type: "confirmed", n: 2 });
  await waits;
});
