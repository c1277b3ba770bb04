import { expect, test } from "vitest";
import { fetchFrom, keepAlive, underLoad } from "../support/client.ts";
import { echo, type RawRequest, rawUpstream, response } from "../support/raw-upstream.ts";
import { refusingUrl } from "../support/refusing-port.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { onlyPool, startProxy } from "../support/start-proxy.ts";
import { startUpstream } from "../support/start-upstream.ts";

const methods = ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "POST", "PATCH"] as const;
const unsafe = /^(?:POST|PATCH) /;

/** Sends a request of some method, now and then with a body, and resolves with its status; 0 when the answer broke off. */
async function send(url: string, index: number, agent: ReturnType<typeof keepAlive>): Promise<number> {
  const method = methods[index % methods.length] as string;
  const body = /^(?:PUT|POST|PATCH)$/.test(method) ? "x".repeat((index * 37) % 3_000) : undefined;
  const chunked = index % 3 === 0 && body !== undefined ? { headers: { "Transfer-Encoding": "chunked" } } : {};
  try {
    return (await fetchFrom(`${url}/${index}`, { method, agent, body, ...chunked })).status;
  } catch {
    return 0;
  }
}

/** What an upstream may do wrong, and how often of a hundred requests. */
const faults: readonly (readonly [number, (request: RawRequest) => void])[] = [
  [8, ({ socket }) => socket.resetAndDestroy()],
  [8, ({ socket }) => void socket.end()],
  [8, ({ socket }) => void socket.write(response("busy", { status: "503 Busy" }))],
  [2, () => {}],
  [8, ({ socket }) => void socket.end("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")],
  [5, ({ socket }) => void socket.end("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")],
  [5, ({ socket }) => void socket.write("HTTP/1.1 2000 OK\r\n\r\n")],
  [
    10,
    (request) => {
      echo(request);
      // While the next request may be on its way.
      setImmediate(() => request.socket.end());
    },
  ],
];

test.each([1, 2])("whatever upstreams do, no POST and no PATCH reaches two of them: seed %s", async (seed) => {
  const random = seededRandom(seed);
  const seen = new Map<string, number>();
  const misbehave = (request: RawRequest) => {
    let left = random() * 100;
    for (const [share, fault] of faults) {
      left -= share;
      if (left < 0) return fault(request);
    }
    echo(request);
  };
  const upstreams = await Promise.all(
    Array.from({ length: 3 }, () =>
      rawUpstream({
        onConnection: (socket) => {
          if (random() < 0.03) socket.resetAndDestroy();
        },
        onHead: (request) => {
          const { method, path, socket } = request;
          if (socket.destroyed) return;
          seen.set(`${method} ${path}`, (seen.get(`${method} ${path}`) ?? 0) + 1);
          if (random() < 0.05) socket.resetAndDestroy();
        },
        onRequest: (request) => {
          if (!request.socket.destroyed) misbehave(request);
        },
      }),
    ),
  );
  const retry = { attempts: 2, budget: 1, on: ["connect-failure", "reset", "timeout", "503"] } as const;
  const { url, proxy, finished } = await startProxy(
    {
      upstreams: [...upstreams.map(({ port }) => `http://127.0.0.1:${port}`), await refusingUrl()],
      timeouts: { headers: "500ms" },
      retry,
    },
    { runtime: { random: seededRandom(seed) } },
  );
  const agent = keepAlive(50);
  const statuses = await underLoad(1_000, 50, (index) => send(url, index, agent));
  expect([...seen].filter(([request, times]) => unsafe.test(request) && times > 1)).toEqual([]);
  expect([...seen].filter(([, times]) => times > 1 + retry.attempts + 1)).toEqual([]);
  expect([...new Set(statuses)].sort()).toEqual([0, 200, 502, 503, 504]);
  // Everything that could go wrong did, and much of it was mended.
  expect(statuses.filter((status) => status === 200).length).toBeGreaterThan(500);
  const events = await finished(1_000);
  expect(events).toHaveLength(1_000);
  const { retries } = onlyPool(proxy).snapshot();
  const reasons = ["503", "connect_refused", "headers_timeout", "reset", "response_truncated"];
  expect(Object.keys(retries)).toEqual(expect.arrayContaining(reasons));
});

test("while one upstream answers, no idempotent request fails for others that come and go", async () => {
  const random = seededRandom(5);
  const steady = await startUpstream("steady");
  const shaky = await Promise.all(["a", "b", "c"].map((name) => startUpstream(name)));
  const up = shaky.map(() => true);
  const retry = { attempts: 3, budget: 1, minRetriesPerSecond: 1_000 };
  const upstreams = [steady, ...shaky].map(({ url }) => url);
  const { url } = await startProxy({ upstreams, retry }, { runtime: { random: seededRandom(5) } });
  const agent = keepAlive(20);
  const changes: Promise<void>[] = [];
  const statuses = await underLoad(2_100, 20, async (index) => {
    if (index % 50 === 0) {
      const which = Math.floor(random() * shaky.length);
      const change = up[which] ? "kill" : "revive";
      up[which] = !up[which];
      // One after the other: nobody can come back before it has gone.
      changes.push((changes.at(-1) ?? Promise.resolve()).then(() => shaky[which]?.[change]()));
    }
    return send(url, index, agent);
  });
  await Promise.all(changes);
  const failed = statuses.flatMap((status, index) => (status === 200 ? [] : [methods[index % methods.length]]));
  expect(failed.filter((method) => !unsafe.test(`${method} `))).toEqual([]);
  const received = [steady, ...shaky].flatMap((upstream) => upstream.received);
  const posts = received.map(({ method, url: path }) => `${method} ${path}`).filter((line) => unsafe.test(line));
  expect(new Set(posts).size).toBe(posts.length);
});
