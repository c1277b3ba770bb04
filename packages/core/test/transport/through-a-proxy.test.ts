/** What the connections to upstreams are for, seen by a client of the whole proxy. */

import type { Socket } from "node:net";
import { expect, test } from "vitest";
import { fetchFrom, keepAlive, underLoad } from "../support/client.ts";
import { rawUpstream, response } from "../support/raw-upstream.ts";
import { startProxy } from "../support/start-proxy.ts";

test("a response that arrives byte by byte reaches the client unchanged", async () => {
  const bytes = response("hello", { status: "418 I'm a teapot", headers: ["X-A: 1"] });
  const upstream = await rawUpstream({ onRequest: ({ socket }) => setImmediate(playBytes, socket, bytes) });
  const { url } = await startProxy({ upstreams: [`http://127.0.0.1:${upstream.port}`] });
  const { status, statusText, headers, text } = await fetchFrom(url);
  expect([status, statusText, headers["x-a"], text]).toEqual([418, "I'm a teapot", "1", "hello"]);
});

test.each([
  ["in one packet", (socket: Socket, path: string) => socket.write(response(path) + response(`surplus ${path}`))],
  [
    "in two packets",
    (socket: Socket, path: string) => {
      socket.write(response(path));
      setImmediate(() => socket.write(response(`surplus ${path}`)));
    },
  ],
])("of an upstream that responds twice, %s, every client gets its own response", async (_, answer) => {
  const upstream = await rawUpstream({ onRequest: ({ socket, path }) => answer(socket, path) });
  const { url } = await startProxy({ upstreams: [`http://127.0.0.1:${upstream.port}`] });
  for (const clients of [1, 8]) {
    const agent = keepAlive(clients);
    const answers = await underLoad(200, clients, (index) => fetchFrom(`${url}/${clients}/${index}`, { agent }));
    expect(answers.map(({ status, text }) => [status, text])).toEqual(
      answers.map((_answer, index) => [200, `/${clients}/${index}`]),
    );
  }
});

test("a response before the body was read, with a reset behind it, reaches the client", async () => {
  const upstream = await rawUpstream({
    onHead: ({ socket }) => {
      socket.write(response("too much", { status: "413 Content Too Large" }));
      socket.resetAndDestroy();
    },
  });
  const { url } = await startProxy({ upstreams: [`http://127.0.0.1:${upstream.port}`] });
  const body = Buffer.alloc(300_000, "x");
  const answers = await underLoad(50, 1, () => fetchFrom(url, { method: "POST", body }));
  expect(answers.map(({ status, text }) => `${status} ${text}`)).toEqual(new Array(50).fill("413 too much"));
});

/** One byte in each turn of the event loop. */
function playBytes(socket: Socket, bytes: string): void {
  if (bytes === "") return;
  socket.write(bytes.slice(0, 1), "latin1");
  setImmediate(playBytes, socket, bytes.slice(1));
}
