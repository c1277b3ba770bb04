import { describe, expect, test } from "vitest";
import type { ProxyOptions } from "../../src/config/options.ts";
import { until } from "../support/event-loop.ts";
import { coreLayer, type Serving } from "../support/layers.ts";
import { onePool, openHandles, watchStrays } from "../support/raw-case.ts";
import { StrictClient } from "../support/raw-client.ts";
import { type RecordingUpstream, recordingUpstream, type Script } from "../support/recording-upstream.ts";

const patienceMs = 3_000;

/** The proxy over one upstream, closed behind the test, with nothing left of it. */
async function serve(
  options: Partial<ProxyOptions>,
  script: Script,
  use: (serving: Serving, upstream: RecordingUpstream) => Promise<void>,
) {
  const strays = watchStrays();
  const before = openHandles();
  const upstream = await recordingUpstream(script);
  const serving = await coreLayer({ ...onePool(upstream.url), ...options } as ProxyOptions);
  try {
    await use(serving, upstream);
    await until(() => serving.leftovers().length === 0);
  } finally {
    await serving.close();
  }
  await until(() => upstream.sockets.size === 0 && openHandles() <= before + 1);
  expect(strays()).toEqual([]);
}

async function victimServed(port: number): Promise<void> {
  const client = await StrictClient.to(port);
  client.socket.write("GET /victim/0 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  await client.when(() => client.how !== undefined, patienceMs);
  expect(client.read([]).responses.map(({ body }) => body.toString())).toEqual(["/victim/0"]);
  client.socket.destroy();
}

const half = [
  ["a length", "POST /case HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf"],
  ["a length of which nothing comes", "POST /case HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n"],
  ["chunks", "POST /case HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"],
  ["chunks, within one", "POST /case HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhalf"],
  [
    "chunks, within the trailers",
    "POST /case HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\nX: 1\r\n",
  ],
] as const;

describe("F02 a body that stops coming is 408", () => {
  test.each(half)("%s", async (_what, bytes) => {
    await serve({ requestBodyTimeout: "100ms" }, {}, async (serving, upstream) => {
      const client = await StrictClient.to(serving.port);
      client.socket.write(bytes);
      expect(await client.when(() => client.how !== undefined, patienceMs)).toBe(true);
      expect(client.read([]).responses.map(({ status, complete }) => [status, complete])).toEqual([[408, true]]);
      client.socket.destroy();
      await until(() => serving.requests.length === 1);
      expect(serving.requests[0]).toMatchObject({ status: 408, error: "request_timeout" });
      // What the upstream has had of it may not look whole, and its connection is not used again.
      expect(upstream.requests).toEqual([]);
      await until(() => upstream.sockets.size === 0);
      await victimServed(serving.port);
    });
  });

  test("behind an answer that came first, the connection ends", async () => {
    const early: Script = {
      onHead: (socket) => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    };
    await serve({ requestBodyTimeout: "100ms" }, early, async (serving) => {
      const client = await StrictClient.to(serving.port);
      client.socket.write(half[0][1]);
      expect(await client.when(() => client.how !== undefined, patienceMs)).toBe(true);
      expect(client.read([]).responses.map(({ status }) => status)).toEqual([200]);
      client.socket.destroy();
      await victimServed(serving.port);
    });
  });

  test("a slow upstream is not the client's fault", async () => {
    const slow: Script = { onHead: (socket) => socket.pause().destroyed };
    await serve({ requestBodyTimeout: "100ms", timeouts: { headers: "600ms" } }, slow, async (serving, upstream) => {
      const client = await StrictClient.to(serving.port);
      client.socket.write(`POST /case HTTP/1.1\r\nHost: h\r\nContent-Length: 50000000\r\n\r\n`);
      client.socket.write(Buffer.alloc(50_000_000));
      await client.when(() => client.how !== undefined, patienceMs);
      await until(() => serving.requests.length === 1);
      expect(serving.requests[0]?.status).not.toBe(408);
      client.socket.destroy();
      // What does not read does not see an end either.
      for (const socket of upstream.sockets) socket.destroy();
    });
  });
});

describe("F02 a body that drips", () => {
  /** 20 bytes, one every 30 ms: never silent for long, and never fast. */
  async function drip(requestBodyMinRate: number): Promise<number | undefined> {
    let status: number | undefined;
    await serve({ requestBodyTimeout: "300ms", requestBodyMinRate }, {}, async (serving, upstream) => {
      const client = await StrictClient.to(serving.port);
      client.socket.write("POST /case HTTP/1.1\r\nHost: h\r\nContent-Length: 20\r\n\r\n");
      let sent = 0;
      const dripping = setInterval(() => {
        if (client.how !== undefined || ++sent > 20) clearInterval(dripping);
        else client.socket.write("x");
      }, 30);
      await client.when(() => client.read([]).responses.length === 1, patienceMs);
      clearInterval(dripping);
      status = client.read([]).responses[0]?.status;
      client.socket.destroy();
      await until(() => serving.requests.length === 1);
      expect(serving.requests[0]?.status).toBe(status);
      expect(upstream.requests).toHaveLength(status === 200 ? 1 : 0);
      await victimServed(serving.port);
    });
    return status;
  }

  test("is 408 below the lowest rate", async () => expect(await drip(240)).toBe(408));
  test("passes above it", async () => expect(await drip(10)).toBe(200));
  test("passes where there is none", async () => expect(await drip(0)).toBe(200));
});

describe("F03 an answer that nobody takes", () => {
  test("is cut off, and holds little memory until then", async () => {
    const sizeBytes = 100_000_000;
    const piece = Buffer.alloc(1_000_000, "a");
    const large: Script = {
      onRequest: (socket) => {
        let left = sizeBytes;
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${sizeBytes}\r\n\r\n`);
        const more = () => {
          while (left > 0 && !socket.destroyed) {
            left -= piece.length;
            if (!socket.write(piece)) return;
          }
        };
        socket.on("drain", more);
        more();
      },
    };
    await serve({ sendTimeout: "300ms" }, large, async (serving, upstream) => {
      const client = await StrictClient.to(serving.port);
      client.socket.pause();
      client.socket.write("GET /case HTTP/1.1\r\nHost: h\r\n\r\n");
      await until(() => serving.requests.length === 1);
      expect(serving.requests[0]?.flags).toContain("truncated");
      expect(serving.requests[0]?.bytesOut).toBeLessThan(32_000_000);
      await until(() => upstream.sockets.size === 0);
      client.socket.destroy();
      await victimServed(serving.port);
    });
  });
});

describe("F04 connections that bring nothing", () => {
  test("do not keep others from being served", async () => {
    await serve({}, {}, async (serving) => {
      const idle = await Promise.all(Array.from({ length: 500 }, () => StrictClient.to(serving.port)));
      await victimServed(serving.port);
      for (const { socket } of idle) socket.destroy();
    });
  });
});

describe("a client that leaves", () => {
  const moments: readonly (readonly [string, string, Script])[] = [
    ["within its head", "GET /case HT", {}],
    ["within its body", half[0][1], {}],
    ["within a chunk", half[3][1], {}],
    ["while the upstream thinks", "GET /case HTTP/1.1\r\nHost: h\r\n\r\n", { onRequest: () => {} }],
    [
      "within the answer",
      "GET /case HTTP/1.1\r\nHost: h\r\n\r\n",
      { onRequest: (socket) => void socket.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf") },
    ],
    ["behind ten requests", "GET /case HTTP/1.1\r\nHost: h\r\n\r\n".repeat(10), { onRequest: () => {} }],
    [
      "behind more requests than may be under way",
      "GET /case HTTP/1.1\r\nHost: h\r\n\r\n".repeat(100),
      { onRequest: () => {} },
    ],
  ];
  const rows = moments.flatMap(([when, bytes, script]) =>
    (["end", "reset"] as const).map((how) => ({ when, how, bytes, script })),
  );
  test.each(rows)("$when, by $how", async ({ how, bytes, script }) => {
    await serve({ requestBodyTimeout: "100ms", timeouts: { headers: "200ms" } }, script, async (serving, upstream) => {
      const client = await StrictClient.to(serving.port);
      client.socket.write(bytes);
      if (bytes.includes("\r\n\r\n")) await until(() => upstream.heads.length > 0);
      if (how === "end") client.socket.end();
      else client.socket.resetAndDestroy();
      await until(() => serving.leftovers().length === 0);
      client.socket.destroy();
      const whole = bytes.includes("\r\n\r\n") ? bytes.split("\r\n\r\n").length - 1 : 0;
      const expected = bytes.startsWith("GET") ? whole : 1;
      // Those that waited for their turn are recorded a few in each turn of the event loop.
      await until(() => serving.requests.length >= expected);
      expect(serving.requests).toHaveLength(expected);
      expect(upstream.requests.filter(({ method }) => method === "POST")).toEqual([]);
      await victimServed(serving.port);
    });
  });
});
