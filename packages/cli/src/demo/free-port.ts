import { once } from "node:events";
import { createServer } from "node:net";
import { Failure } from "../failure.ts";

const maxTried = 50;

/** Finds the first free port of 127.0.0.1 from `start` on. Throws a `Failure` after 50 taken ports. */
export async function findFreePort(start: number): Promise<number> {
  for (let port = start; port < start + maxTried; port++) {
    if (await isFree(port)) return port;
  }
  throw new Failure(`no port from ${start} to ${start + maxTried - 1} is free; name one with --port`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}
