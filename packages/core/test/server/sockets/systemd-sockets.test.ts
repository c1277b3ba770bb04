import { once } from "node:events";
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, renameSync } from "node:fs";
import { type AddressInfo, connect, createServer, type ListenOptions, type Server } from "node:net";
import path from "node:path";
import { expect, test } from "vitest";
import { parseListenFds } from "../../../src/server/index.ts";
import { makeFolder, startJsonProcess, writeProgram } from "../../support/processes.ts";
import { connectTo } from "../../support/serve.ts";
import { startUpstream } from "../../support/start-upstream.ts";

test("the descriptors are read from the environment of the process for which they are", () => {
  const env = { LISTEN_FDS: "3", LISTEN_PID: "7", LISTEN_FDNAMES: "web::" };
  expect(parseListenFds(env, 7)).toEqual([
    { fd: 3, name: "web" },
    { fd: 4, name: "unknown" },
    { fd: 5, name: "unknown" },
  ]);
  expect(parseListenFds({ LISTEN_FDS: "1", LISTEN_PID: "7" }, 7)).toEqual([{ fd: 3, name: "unknown" }]);
  expect(parseListenFds(env, 8)).toEqual([]);
  expect(parseListenFds({}, 7)).toEqual([]);
  for (const count of ["", "0", "-1", "1.5", "x", "1e3"])
    expect(parseListenFds({ ...env, LISTEN_FDS: count }, 7)).toEqual([]);
  expect(parseListenFds({ ...env, LISTEN_FDS: "999999" }, 7)).toHaveLength(1_000);
});

/** A listening server and its descriptor in this process. */
async function open(options: ListenOptions): Promise<{ server: Server; port: number; fd: number }> {
  const server = createServer().listen(options);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const local = `:${port?.toString(16).toUpperCase().padStart(4, "0")}`;
  const rows = ["tcp", "tcp6", "unix"].flatMap((name) =>
    readFileSync(`/proc/self/net/${name}`, "utf8")
      .split("\n")
      .map((row) => row.trim().split(/ +/)),
  );
  // The inode is the tenth field of a TCP socket that listens (0A), the seventh of a Unix socket.
  const tcp = rows.find((fields) => fields[1]?.endsWith(local) && fields[3] === "0A");
  const inode = options.path === undefined ? tcp?.[9] : rows.find((fields) => fields[7] === options.path)?.[6];
  const fd = readdirSync("/proc/self/fd").find((each) => linkOf(each) === `socket:[${inode}]`);
  return { server, port, fd: Number(fd) };
}

/** Undefined for the descriptor with which the folder itself was read. */
function linkOf(fd: string): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return undefined;
  }
}

test("a process serves the sockets that it inherits by their addresses, and reports those that it does not use", async () => {
  const upstream = await startUpstream("a", (_req, res) => res.end("hello"));
  const folder = makeFolder();
  const file = writeProgram(
    folder,
    `const [upstream, ...listen] = process.argv.slice(2);
    const fds = server.parseListenFds(process.env, process.pid);
    const sockets = await server.SystemdSockets.open(fds, listen.map(parseListenAddress));
    const own = createServer(createProxy({ upstreams: [upstream] }), { listen });
    await own.listen({ inherited: sockets.take });
    const handles = own.listeningSockets().map(({ socket }) => socket.fd ?? "server");
    console.log(JSON.stringify({ unused: sockets.unused, urls: own.urls, handles }));`,
  );
  const [bound, unix] = [path.join(folder, "bound.sock"), path.join(folder, "moved.sock")];
  const servers = [
    await open({ host: "127.0.0.1", port: 0 }),
    await open({ host: "::", port: 0 }),
    await open({ path: bound }),
    await open({ host: "127.0.0.1", port: 0 }),
  ];
  const [first, dual, , unused] = servers.map(({ port }) => port);
  const device = openSync("/dev/null", "r");
  const { next } = startJsonProcess(
    "sh",
    [
      "-c",
      'LISTEN_PID=$$ LISTEN_FDS=5 LISTEN_FDNAMES=web:dual:unix:other exec "$0" "$@"',
      process.execPath,
      file,
      upstream.url,
      `0.0.0.0:${dual}`,
      `unix:${bound}`,
      `127.0.0.1:${first}`,
    ],
    [...servers.map(({ fd }) => fd), device],
  );
  // Otherwise the path is removed with the server here.
  renameSync(bound, unix);
  for (const { server } of servers) server.close();
  closeSync(device);
  const get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
  const early = [await connectTo(first as number, get), await connectTo(dual as number, get)];
  expect(await next()).toEqual({
    unused: [
      "descriptor 7 of systemd (unknown) is no listening socket",
      `descriptor 6 of systemd (other) listens on 127.0.0.1:${unused}, which is not configured`,
    ],
    urls: [`http://[::]:${dual}`, `unix:${bound}`, `http://127.0.0.1:${first}`],
    handles: ["server", 5, "server"],
  });
  for (const client of early) expect(await client.until(/hello$/)).toMatch(/^HTTP\/1\.1 200 [^]*hello$/);
  const local = connect(unix);
  local.write(get);
  expect(String((await once(local, "data"))[0])).toMatch(/^HTTP\/1\.1 200 [^]*hello$/);
  local.destroy();
  await expect(once(connect(unused as number, "127.0.0.1"), "connect")).rejects.toThrow("ECONNREFUSED");
});
