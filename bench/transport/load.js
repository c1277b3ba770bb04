// Keeps a number of connections busy for some time: with wrk if it is installed, else with raw Node sockets.

import { execFile } from "node:child_process";
import net from "node:net";
import { promisify } from "node:util";
import { has } from "./backend.js";

/** The headers of a browser. */
const headers = [
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
  "Accept-Language: en-US,en;q=0.5",
  "Accept-Encoding: gzip, deflate, br",
  "Cookie: session=0123456789abcdef; theme=dark",
];

export const loadName = has("wrk") ? "wrk" : "bare sockets of Node";

/** Resolves with the number of complete responses. Rejects if one was not a 200, or a connection failed. */
export function load(port, target, { connections, seconds }) {
  return loadName === "wrk"
    ? loadWithWrk(port, target, connections, seconds)
    : loadWithSockets(port, target, connections, seconds);
}

async function loadWithWrk(port, target, connections, seconds) {
  const words = [
    "-t1",
    "-c",
    connections,
    "-d",
    `${seconds}s`,
    "--timeout",
    "30s",
    ...headers.flatMap((one) => ["-H", one]),
  ];
  const url = `http://127.0.0.1:${port}${target}`;
  const { stdout } = await promisify(execFile)("wrk", [...words.map(String), url]);
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(stdout);
  return Number(/(\d+) requests in/.exec(stdout)?.[1]);
}

async function loadWithSockets(port, target, connections, seconds) {
  const request = `${[`GET ${target} HTTP/1.1`, "Host: bench", ...headers].join("\r\n")}\r\n\r\n`;
  const until = performance.now() + seconds * 1_000;
  let answers = 0;
  const worker = () =>
    new Promise((resolve, reject) => {
      const socket = net.connect(port, "127.0.0.1", () => socket.write(request));
      let left = 0;
      let held = Buffer.alloc(0);
      socket.on("error", reject);
      socket.on("close", resolve);
      socket.on("data", (bytes) => {
        if (left === 0) {
          held = Buffer.concat([held, bytes]);
          const end = held.indexOf("\r\n\r\n");
          if (end === -1) return;
          const head = held.toString("latin1", 0, end);
          if (!head.startsWith("HTTP/1.1 200")) return reject(new Error(head));
          left = Number(/content-length: (\d+)/i.exec(head)?.[1]) + end + 4 - held.length;
          held = Buffer.alloc(0);
        } else {
          left -= bytes.length;
        }
        if (left > 0) return;
        answers++;
        if (performance.now() < until) socket.write(request);
        else socket.destroy();
      });
    });
  await Promise.all(Array.from({ length: connections }, worker));
  return answers;
}
