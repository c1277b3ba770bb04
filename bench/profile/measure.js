import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { contenders } from "../contenders/list.js";
import { startContender } from "../contenders/start.js";
import { folder } from "../machine/children.js";
import { split } from "./split.js";

const task = { target: "/small", connections: 64 };
const warmSeconds = 2;

/** Loads the own server under V8's profiler. Resolves with microseconds for each request, by the part of the work. */
export async function profileCore({ backends, load, seconds }) {
  const server = contenders.find(({ name }) => name === "listen");
  const directory = mkdtempSync(path.join(folder, "profile-"));
  const running = await startContender(server, backends.ports.web, ["--cpu-prof", `--cpu-prof-dir=${directory}`]);
  const { port } = running;
  await load.saturate({ ...task, port, seconds: warmSeconds });
  const from = now();
  const { answers } = await load.saturate({ ...task, port, seconds });
  const until = now();
  await running.leave();
  const [file] = readdirSync(directory);
  const spent = split(JSON.parse(readFileSync(path.join(directory, file), "utf8")), from, until);
  const parts = Object.fromEntries(Object.entries(spent).map(([part, micros]) => [part, micros / answers]));
  return { answers, seconds, parts };
}

/** Rows of words, the first of them the headline. */
export function profileRows({ parts }) {
  const total = Object.values(parts).reduce((sum, micros) => sum + micros, 0);
  const rows = Object.entries(parts).map(([part, micros]) => row(part, micros, total));
  return [["", "us/request", "share"], ...rows, row("all", total, total)];
}

function row(part, micros, total) {
  return [part, micros.toFixed(1), `${Math.round((micros / total) * 100)} %`];
}

function now() {
  return Number(process.hrtime.bigint() / 1_000n);
}
