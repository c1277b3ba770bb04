import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { folder } from "../machine/children.js";
import { pinned } from "../machine/cpus.js";
import { browserHeaders } from "./request.js";

/** Like `saturate` of closed-loop.js, in whole seconds. */
export async function saturateWithWrk({ port, target, connections, seconds, uploadBytes = 0 }) {
  const words = ["-t1", `-c${connections}`, `-d${Math.ceil(seconds)}s`, "--timeout", "30s"];
  if (uploadBytes > 0) words.push("-s", uploadScript(uploadBytes));
  for (const header of ["Host: bench.example", ...browserHeaders]) words.push("-H", header);
  const [file, ...rest] = pinned("others", ["wrk", ...words, `http://127.0.0.1:${port}${target}`]);
  const { stdout } = await promisify(execFile)(file, rest, { timeout: (seconds + 30) * 1_000 });
  const [, answers, taken, unit] = /(\d+) requests in ([\d.]+)(m?s)/.exec(stdout) ?? [];
  if (answers === undefined || /Non-2xx|Socket errors/.test(stdout)) throw new Error(stdout);
  return { answers: Number(answers), seconds: Number(taken) / (unit === "ms" ? 1_000 : 1) };
}

function uploadScript(bytes) {
  const file = path.join(folder, `upload-${bytes}.lua`);
  writeFileSync(file, `wrk.method = "POST"\nwrk.body = string.rep("x", ${bytes})\n`);
  return file;
}
