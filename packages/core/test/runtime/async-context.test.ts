import { AsyncLocalStorage } from "node:async_hooks";
import { once } from "node:events";
import { createServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { resolvePool } from "../../src/config/resolve.ts";
import { backgroundClock, bindContext, inBackground } from "../../src/runtime/async-context.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { Ticker } from "../../src/runtime/ticker.ts";
import { Connector } from "../../src/transport/connector.ts";

const storage = new AsyncLocalStorage<string>();

test("a bound function runs in the context of its binding and receives its arguments", () => {
  const seen: unknown[] = [];
  const bound = storage.run("own", () => bindContext((...args: number[]) => seen.push(storage.getStore(), ...args)));
  storage.run("other", () => bound(1, 2));
  bound(3);
  expect(seen).toEqual(["own", 1, 2, "own", 3]);
});

test("a bound function that throws leaves the caller's context unchanged", () => {
  const bound = storage.run("own", () =>
    bindContext(() => {
      throw new Error("no");
    }),
  );
  storage.run("other", () => {
    expect(bound).toThrow("no");
    expect(storage.getStore()).toBe("other");
  });
});

test("inBackground and the timers of backgroundClock run outside of a request's context", async () => {
  await storage.run("request", async () => {
    expect(inBackground(() => storage.getStore())).toBeUndefined();
    const timed = await new Promise((resolve) => {
      backgroundClock(systemClock).setTimeout(() => resolve(storage.getStore()), 0);
    });
    expect(timed).toBeUndefined();
    expect(storage.getStore()).toBe("request");
  });
});

test("a ticker started by a request runs outside of that request's context", async () => {
  const ran = await new Promise((resolve) => {
    const ticker = new Ticker(systemClock);
    const timed = {
      deadline: 0,
      onDeadline: () => {
        ticker.forget(timed);
        resolve(storage.getStore());
      },
    };
    storage.run("request", () => ticker.watch(timed));
  });
  expect(ran).toBeUndefined();
});

test("a socket opened for a request emits its events outside of that request's context", async () => {
  const server = createServer((socket) => socket.end("x")).listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const { upstreams, tls } = resolvePool({ upstreams: [`http://127.0.0.1:${port}`] });
  const [upstream] = upstreams;
  if (upstream === undefined) throw new Error("no upstream");
  const stores: unknown[] = [];
  const note = () => void stores.push(storage.getStore());
  const socket = storage.run("request", () => new Connector().open(upstream.address, tls, { onBytes: note }));
  socket.on("connect", note).on("end", note);
  await new Promise((resolve) => socket.on("close", resolve));
  expect(stores).toEqual([undefined, undefined, undefined]);
});
