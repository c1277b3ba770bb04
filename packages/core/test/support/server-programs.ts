import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { onTestFinished } from "vitest";

export type ServerProgramName = "nginx" | "haproxy";
export type ClientProgramName =
  | "curl"
  | "h2load"
  | "chromium"
  | "systemd-socket-activate"
  | "systemd-analyze"
  | "prometheus"
  | "promtool";

/** Whether a program is there. On CI it has to be: .ci/run installs it. */
export function hasProgram(name: ServerProgramName | ClientProgramName): boolean {
  const found = spawnSync(name, ["--version"]).error === undefined;
  if (found || process.env["CI"] === undefined) return found;
  throw new Error(`${name} is not installed, and .ci/run is to install it`);
}

export interface ServerProgram {
  /** Where it listens. */
  readonly socketPath: string;
  readonly folder: string;
  readonly process: ChildProcess;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
}

/**
 * Starts a program as a server on a Unix socket, so that no port can be taken. `configuration` is made for the folder that it
 * has to itself. Gone when the test is over.
 */
export async function startProgram(
  name: ServerProgramName,
  configuration: (folder: string, socketPath: string) => string,
): Promise<ServerProgram> {
  const folder = mkdtempSync(path.join(tmpdir(), `evenkeel-${name}-`));
  chmodSync(folder, 0o755);
  const socketPath = path.join(folder, "server.sock");
  const file = path.join(folder, `${name}.conf`);
  writeFileSync(file, configuration(folder, socketPath));
  const options = name === "nginx" ? ["-p", folder, "-e", "stderr", "-c", file] : ["-W", "-db", "-f", file];
  const child = spawn(name, options, { stdio: ["ignore", "ignore", "pipe"] });
  let complaint = "";
  child.stderr.on("data", (bytes: Buffer) => {
    complaint += bytes.toString();
  });
  let over = false;
  const ended = new Promise<void>((resolve) => {
    child.on("close", () => {
      over = true;
      resolve();
    });
  });
  onTestFinished(async () => {
    if (!over) child.kill("SIGTERM");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  });
  while (!(await accepts(socketPath))) {
    if (over) throw new Error(`${name} has ended: ${complaint}`);
  }
  return { socketPath, folder, process: child, ended };
}

function accepts(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    // Not there yet: the next look comes when the event loop has gone around.
    socket.on("error", () => setImmediate(resolve, false));
  });
}
