import { once } from "node:events";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { connect, createServer, type Server } from "node:net";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { bind, listen } from "../../../src/server/sockets/listen.ts";
import { makeFolder, startJsonProcess, writeProgram } from "../../support/processes.ts";

/** A server that sends its name on each connection. */
function named(name: string): Server {
  const server = createServer((socket) => socket.on("error", () => {}).end(name));
  onTestFinished(() => void server.close());
  return server;
}

async function nameAt(socketPath: string): Promise<string> {
  const socket = connect(socketPath);
  const [name] = (await once(socket, "data")) as [Buffer];
  socket.destroy();
  return String(name);
}

test("a successor replaces the socket of its predecessor, whose end leaves the path", async () => {
  const folder = makeFolder();
  const socketPath = path.join(folder, "a.sock");
  const [first, second] = [named("first"), named("second")];
  const predecessor = await listen(first, { socketPath });
  expect(predecessor.url("http")).toBe(`unix:${socketPath}`);
  expect(predecessor.handle).toBeUndefined();
  expect(readdirSync(folder)).toEqual(["a.sock"]);
  await expect(listen(named("other"), { socketPath })).rejects.toThrow("something else is listening there already");
  expect(await nameAt(socketPath)).toBe("first");

  const successor = await bind(second, { socketPath }, "predecessor");
  expect(await nameAt(socketPath)).toBe("first");
  successor.publish();
  expect(await nameAt(socketPath)).toBe("second");
  predecessor.release();
  first.close();
  expect(await nameAt(socketPath)).toBe("second");
  successor.release();
  expect(readdirSync(folder)).toEqual([]);
});

test("a path that another process has taken after the check is an error, and a file is never replaced", async () => {
  const folder = makeFolder();
  const socketPath = path.join(folder, "a.sock");
  const [first, second] = [named("first"), named("second")];
  const [one, other] = await Promise.all([bind(first, { socketPath }), bind(second, { socketPath })]);
  one.publish();
  expect(() => other.publish()).toThrow(
    `cannot listen on unix:${socketPath}: something else is listening there already`,
  );
  expect(await nameAt(socketPath)).toBe("first");
  const file = path.join(folder, "file");
  writeFileSync(file, "precious");
  await expect(listen(named("third"), { socketPath: file }, "predecessor")).rejects.toMatchObject({
    code: "EADDRINUSE",
  });
  expect(existsSync(file)).toBe(true);
});

test("a path is as long as the system allows", async () => {
  const folder = makeFolder();
  const socketPath = path.join(folder, "s".repeat(107 - folder.length - 1));
  await listen(named("long"), { socketPath });
  expect(await nameAt(socketPath)).toBe("long");
  const deep = path.join(folder, "d".repeat(107 - folder.length - 3), "s");
  await expect(listen(named("deep"), { socketPath: deep })).rejects.toThrow(/too long, at most \d+ bytes are possible/);
});

test("an HTTP server of Node takes over a listening socket with the connections that wait", async () => {
  const received = named("nothing");
  received.listen(0, "127.0.0.1");
  await once(received, "listening");
  const http = createHttpServer((_req, res) => res.end("hello"));
  onTestFinished(() => void http.close());
  const binding = await listen(http, { host: "127.0.0.1", port: 0 }, received);
  expect(binding.handle?.socket).toBe(http);
  expect(await (await fetch(binding.url("http"))).text()).toBe("hello");
  await expect(listen(createServer(), { host: "127.0.0.1", port: 0 }, createServer())).rejects.toThrow(
    "cannot listen on",
  );
});

test("the workers of node:cluster share a Unix socket", async () => {
  const folder = makeFolder();
  const socketPath = path.join(folder, "a.sock");
  const file = writeProgram(
    folder,
    `import cluster from "node:cluster";
    import { createServer as createNetServer } from "node:net";
    if (cluster.isPrimary) {
      for (const name of ["first", "second"]) cluster.fork({ NAME: name }).on("message", (url) => console.log(JSON.stringify({ url })));
    } else {
      const own = createNetServer((socket) => socket.end(process.env.NAME));
      const binding = await server.listen(own, { socketPath: ${JSON.stringify(socketPath)} });
      process.send(binding.url("http"));
    }`,
  );
  const { next } = startJsonProcess(process.execPath, [file]);
  for (let worker = 0; worker < 2; worker++) expect(await next()).toEqual({ url: `unix:${socketPath}` });
  const names = [await nameAt(socketPath), await nameAt(socketPath)];
  expect(names.sort()).toEqual(["first", "second"]);
});
