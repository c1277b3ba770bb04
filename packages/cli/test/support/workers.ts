import { sendRequest } from "./http.ts";

interface WorkerState {
  readonly worker: number;
  readonly pid: number;
  readonly connections: number;
  readonly restarts: Readonly<Record<string, number>>;
}

/** The workers of a running command, by its admin API. */
export async function workersOf(admin: string): Promise<readonly WorkerState[]> {
  const { text } = await sendRequest(admin, { path: "/api/workers" });
  return (JSON.parse(text) as { workers: WorkerState[] }).workers;
}

/** Resolves once all workers have processes other than these. */
export async function whenReplaced(admin: string, pids: readonly number[]): Promise<readonly WorkerState[]> {
  for (;;) {
    const workers = await workersOf(admin);
    if (workers.every(({ pid }) => pid !== null && !pids.includes(pid))) return workers;
  }
}

export function setWeight(admin: string, target: string, weight: number): Promise<{ readonly status: number }> {
  const [pool, id] = target.split("/");
  return sendRequest(admin, {
    method: "PATCH",
    path: `/api/pools/${pool}/upstreams/${id}`,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ weight }),
  });
}

/** The counters and histograms of /metrics, by name and labels. */
export async function countersOf(admin: string): Promise<ReadonlyMap<string, number>> {
  const { text } = await sendRequest(admin, { path: "/metrics" });
  const lines = text.split("\n").filter((line) => /^evenkeel_\w+_(?:total|count|sum|bucket)\b/.test(line));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]),
  );
}

/** The counters that have decreased or disappeared. */
export function decreased(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): string[] {
  return [...before].filter(([name, count]) => !((after.get(name) ?? -1) >= count)).map(([name]) => name);
}
