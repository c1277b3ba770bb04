/** The table of failures, 17, 18 and 22, as far as sockets matter. See failure-table.test.ts. */

import fs from "node:fs";
import net from "node:net";
import { describe, expect, type MockInstance, onTestFinished, test, vi } from "vitest";
import { ask } from "../support/exchanges.ts";
import { get, observe, play, post, startScene, urlOf, well } from "../support/failure-scene.ts";
import { StrictClient } from "../support/raw-client.ts";
import { rawUpstream } from "../support/raw-upstream.ts";
import { own } from "../support/scene-result.ts";
import { onlyPool } from "../support/start-proxy.ts";
import { handshake, switching } from "../support/web-sockets.ts";

describe("17 no room is 503 with Retry-After, without a dial, and keeps the connection", () => {
  test("a limit of connections that nobody frees in time", async () => {
    const upstream = await rawUpstream({});
    const settings = { connections: { max: 1 }, timeouts: { connect: "60ms" } } as const;
    const started = await startScene({ upstreams: [urlOf(upstream)], settings });
    const pool = onlyPool(started.proxy);
    const [member] = pool.upstreams;
    const before = ask(pool.transport(member as NonNullable<typeof member>), "/before");
    await upstream.until(() => upstream.requests.length === 1);
    const client = await StrictClient.to(started.port);
    client.socket.write(post);
    const told = await observe(started, client, "POST");
    expect(told).toMatchObject({ ...own, client: [503, "queue_timeout"], retryAfter: true, blamed: [] });
    expect(told).toMatchObject({ attempts: ["a queue_timeout"], token: "connection_limit_reached" });
    expect(upstream.sockets).toHaveLength(1);
    before.exchange.abort();
  });
});

describe("18 no file descriptors are 503, asked of nobody else and nobody's failure, until there are some", () => {
  const emfile = Object.assign(new Error("EMFILE"), { code: "EMFILE" });

  test.each<[string, string, () => MockInstance]>([
    [
      "for a socket",
      "127.0.0.1",
      () => vi.spyOn(net, "connect").mockImplementation(() => new net.Socket().destroy(emfile)),
    ],
    [
      // The resolver of a process without descriptors says that there is no such name.
      "for looking a name up",
      "nobody.invalid",
      () =>
        vi.spyOn(fs, "openSync").mockImplementation(() => {
          throw emfile;
        }),
    ],
  ])("%s", async (_name, hostname, exhaust) => {
    const other = await well();
    const started = await startScene({ upstreams: [`http://${hostname}:${(await well()).port}`, urlOf(other)] });
    const exhausted = exhaust();
    onTestFinished(() => exhausted.mockRestore());
    const client = await StrictClient.to(started.port);
    client.socket.write(get);
    const told = await observe(started, client);
    expect(told).toMatchObject({ ...own, client: [503, "no_file_descriptors"], retryAfter: true, blamed: [] });
    expect(told).toMatchObject({ logged: [503, "no_file_descriptors"], attempts: ["a no_file_descriptors"] });
    expect(other.sockets).toEqual([]);
    exhausted.mockRestore();
    const next = await StrictClient.to(started.port);
    next.socket.write(get);
    await next.when(() => next.read([]).responses.length === 1, 5_000);
    expect(next.read([]).responses[0]?.status).toBe(200);
    next.socket.destroy();
  });
});

test.each(["the client", "the upstream"])("22 a tunnel that %s leaves ends on both sides", async (side) => {
  const upstream = await rawUpstream({ onRequest: ({ socket }) => void socket.write(switching()) });
  const told = await play({
    upstreams: [urlOf(upstream)],
    request: handshake(),
    meanwhile: async ({ client, started }) => {
      await client.when(() => client.text.endsWith("\r\n\r\n"), 5_000);
      expect(onlyPool(started.proxy).tunnels).toBe(1);
      const leaving = side === "the client" ? client.socket : upstream.sockets[0];
      leaving?.resetAndDestroy();
      await upstream.until(() => upstream.open === 0);
    },
  });
  expect(told).toMatchObject({ client: [101], connection: "closed", logged: [101], flags: [], blamed: [] });
  expect(told).toMatchObject({ attempts: ["a 101"], outcomes: ["a success"] });
});
