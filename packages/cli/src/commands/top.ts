import type { Overview } from "@evenkeel/admin";
import type { AdminClientOptions } from "../admin-client.ts";
import { Failure, toErrorDocument } from "../failure.ts";
import { toSafeJson } from "../log/escape.ts";
import { fetchOverview } from "../overview/fetch-overview.ts";
import { type SortKey, sortKeys } from "../overview/upstream-rows.ts";
import { printLines } from "../table.ts";
import { drawAll } from "../top/frame.ts";
import { LiveView } from "../top/live-view.ts";
import { pollOverview } from "../top/poll-overview.ts";
import type { View } from "../top/view.ts";

export interface TopOptions extends AdminClientOptions {
  readonly sort?: string;
  readonly pool?: string;
  /** Prints one state and ends. */
  readonly once?: boolean;
  /** Prints each state as a line of JSON. */
  readonly json?: boolean;
}

/** Shows the state of a running proxy, again every second, until the user quits. */
export async function top(options: TopOptions): Promise<void> {
  const view = toView(options);
  if (options.once === true) return printOnce(options, view);
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.on(signal, onSignal);
  try {
    await (options.json === true ? streamJson(options, stop) : showLive(options, view, stop));
  } finally {
    for (const signal of signals) process.off(signal, onSignal);
  }
}

async function printOnce(options: TopOptions, view: View): Promise<void> {
  const overview = await fetchOverview(options);
  if (options.json === true) return void process.stdout.write(`${toSafeJson(overview)}\n`);
  checkPool(overview, view);
  printLines(drawAll({ overview, view, admin: options.admin }).map((line) => line.map(({ text }) => text).join("")));
}

/** A failure after the first state is a line too: the proxy may come back. */
async function streamJson(options: TopOptions, stop: AbortController): Promise<void> {
  process.stdout.once("error", () => stop.abort());
  for await (const sample of pollOverview(options, stop.signal)) {
    process.stdout.write(`${toSafeJson(sample instanceof Failure ? toErrorDocument(sample) : sample)}\n`);
  }
}

async function showLive(options: TopOptions, view: View, stop: AbortController): Promise<void> {
  const { stdin: input, stdout: output } = process;
  if (!input.isTTY || !output.isTTY) {
    const message = "top needs a terminal; use --once for one table, or --json for a line of JSON every second";
    throw new Failure(message, "no_terminal");
  }
  const color = output.hasColors();
  let failed: unknown;
  const end = (error?: unknown) => {
    failed ??= error;
    stop.abort();
  };
  let live: LiveView | undefined;
  try {
    for await (const sample of pollOverview(options, stop.signal)) {
      if (live !== undefined) live.show(sample);
      else if (!(sample instanceof Failure)) {
        checkPool(sample, view);
        live = new LiveView({ input, output }, sample, { admin: options.admin, view, color }, end);
      }
    }
  } finally {
    live?.close();
  }
  if (failed !== undefined) throw failed;
}

function toView({ sort = "status", pool }: TopOptions): View {
  const key = sort.replaceAll("-", " ");
  if (!isSortKey(key)) {
    const known = sortKeys.map((name) => name.replaceAll(" ", "-")).join(", ");
    throw new Failure(`expected one of ${known} as the order, found ${JSON.stringify(sort)}`, "bad_argument");
  }
  return { sort: key, pool: pool ?? null, offset: 0 };
}

/** A pool that a reload removes later is no error: all pools are shown then. */
function checkPool({ pools }: Overview, { pool }: View): void {
  if (pool === null || pools.some(({ name }) => name === pool)) return;
  const names = pools.map(({ name }) => name).join(", ");
  throw new Failure(`there is no pool ${JSON.stringify(pool)}; the pools are ${names}`, "bad_argument");
}

function isSortKey(text: string): text is SortKey {
  return (sortKeys as readonly string[]).includes(text);
}
