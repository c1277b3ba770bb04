import { once } from "node:events";
import { onTestFinished } from "vitest";
import { type CliOptions, type Serving, startCli, whenReady, writeFile } from "./cli.ts";
import { sendRequest } from "./http.ts";

/** A command that is replaced in place: a row of processes with the same output. */
export interface Restartable extends Serving {
  readonly config: string;
  /** The process that serves now. */
  readonly pid: number;
  /** Resolves when the first process has ended. Its output goes on with that of its successors. */
  readonly firstEnded: Promise<unknown>;
  /** Restarts with a signal, or over the admin API, and resolves when the new process serves. */
  restart(by: "signal" | "admin"): Promise<void>;
  /** Sends a signal to the process that serves now. */
  signal(signal: NodeJS.Signals): void;
}

export async function serveRestartable(
  toml: string,
  { args = [], ...options }: CliOptions & { readonly args?: readonly string[] } = {},
): Promise<Restartable> {
  const config = writeFile("config.toml", toml);
  return restartable(await whenReady(startCli(["run", config, ...args], options)), config);
}

function restartable(serving: Serving, config: string): Restartable {
  const { child, stderr, admin } = serving;
  const pids = () => stderr.records.flatMap(({ successor }) => (typeof successor === "number" ? [successor] : []));
  const pid = () => stderr.records.findLast(({ listen }) => listen !== undefined)?.["pid"] as number;
  // Before the first process is waited for: the others have its output too.
  onTestFinished(() => {
    for (const successor of pids()) kill(successor, "SIGKILL");
  });
  const restart = async (by: "signal" | "admin") => {
    const before = pid();
    if (by === "signal") kill(before, "SIGUSR2");
    else await restartByAdmin(admin);
    await stderr.record((record) => record["pid"] === pid() && pid() !== before);
  };
  return {
    ...serving,
    config,
    get pid() {
      return pid();
    },
    firstEnded: once(child, "exit"),
    restart,
    signal: (signal) => kill(pid(), signal),
  };
}

/** Resolves with the response to POST /api/restart. */
export function postRestart(admin: string): ReturnType<typeof sendRequest> {
  const headers = { "content-type": "application/json" };
  return sendRequest(admin, { method: "POST", path: "/api/restart", headers, body: "{}" });
}

async function restartByAdmin(admin: string): Promise<void> {
  const { status, text } = await postRestart(admin);
  if (status !== 200) throw new Error(`${status} ${text}`);
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended.
  }
}
