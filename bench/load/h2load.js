import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { pinned } from "../machine/cpus.js";
import { browserHeaders } from "./request.js";

/** HTTP/2 with prior knowledge: `connections` with `streams` requests in flight on each. In whole seconds. */
export async function saturateWithH2load({ port, target, connections, streams, seconds }) {
  const words = ["-t1", `-c${connections}`, `-m${streams}`, `-D${Math.ceil(seconds)}`, "--warm-up-time=0"];
  for (const header of browserHeaders) words.push("-H", header);
  const [file, ...rest] = pinned("others", ["h2load", ...words, `http://127.0.0.1:${port}${target}`]);
  const { stdout } = await promisify(execFile)(file, rest, { timeout: (seconds + 30) * 1_000 });
  const [, done, succeeded, failed] =
    /requests: \d+ total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed/.exec(stdout) ?? [];
  const [, taken] = /finished in ([\d.]+)s/.exec(stdout) ?? [];
  if (done === undefined || done === "0" || done !== succeeded || failed !== "0") throw new Error(stdout);
  return { answers: Number(done), seconds: Number(taken) };
}
