// The load of run.js: wrk for rates, plain sockets for single connections.

import { execFile } from "node:child_process";
import net from "node:net";
import { promisify } from "node:util";

const request = "GET / HTTP/1.1\r\nHost: bench\r\n\r\n";

/** Resolves with the number of responses. Without keep-alive each has its own connection. */
export async function saturate(port, { seconds, keepAlive }) {
  const words = ["-t1", "-c64", `-d${seconds}s`, "--timeout", "30s"];
  if (!keepAlive) words.push("-H", "Connection: close");
  const { stdout } = await promisify(execFile)("wrk", [...words, `http://127.0.0.1:${port}/`]);
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(stdout);
  return Number(/(\d+) requests in/.exec(stdout)?.[1]);
}

/** A connection that has sent a request. `answered` resolves with how that ended, like `again` for another request. */
export function connect(port, withinMs = 5_000) {
  const socket = net.connect(port, "127.0.0.1").on("error", () => {});
  const again = () => {
    socket.write(request);
    return outcome(socket, withinMs);
  };
  return { socket, answered: again(), again };
}

/** "answered", "closed", or "silent" when neither has happened in time. */
function outcome(socket, withinMs) {
  if (socket.destroyed) return "closed";
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, withinMs, "silent");
    const settle = (how) => {
      clearTimeout(timer);
      resolve(how);
    };
    socket.once("data", () => settle("answered")).once("close", () => settle("closed"));
  });
}
