import { once } from "node:events";
import { createServer } from "node:net";
import { Failure } from "../failure.ts";

const portsTried = 50;

/** The first free port of 127.0.0.1 from `start` on. Throws a `Failure` when many in a row are taken. */
export async function findFreePort(start: number): Promise<number> {
  for (let port = start; port < start + portsTried; port++) {
    if (await isFree(port)) return port;
  }
  throw new Failure(`no port from ${start} to ${start + portsTried - 1} is free; name one with --port`);
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
