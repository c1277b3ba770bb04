/**
 * Upstreams that end idle connections whenever they like. A request that meets such an end has not been answered and may
 * not have been read; on a used connection that says nothing about the upstream, and once more on a fresh one it works.
 */

import type { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import type { Http1Transport } from "../../src/transport/http1/http1-transport.ts";
import { fetchFrom, keepAlive, underLoad } from "../support/client.ts";
import { ask, transportTo } from "../support/exchanges.ts";
import { echo, type RawRequest, type RawUpstream, rawUpstream } from "../support/raw-upstream.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { onlyPool, startProxy } from "../support/start-proxy.ts";

const total = 2_000;

/** Answers after up to 8 ms, and ends three connections of four up to 10 ms after that unless another request has come by then. */
function fickleUpstream(seed: number): Promise<RawUpstream & { ends(): number }> {
  const random = seededRandom(seed);
  const waiting = new WeakMap<Socket, NodeJS.Timeout>();
  let ends = 0;
  const answer = (request: RawRequest) => {
    const { socket } = request;
    echo(request);
    if (random() < 0.25) return;
    const end = () => {
      ends++;
      if (random() < 0.5) socket.end();
      else socket.resetAndDestroy();
    };
    waiting.set(socket, setTimeout(end, random() * 10));
  };
  return rawUpstream({
    onHead: ({ socket }) => clearTimeout(waiting.get(socket)),
    onRequest: (request) => void setTimeout(answer, random() * 8, request),
  }).then((upstream) => Object.assign(upstream, { ends: () => ends }));
}

describe(`${total} requests to an upstream that ends idle connections at random times`, () => {
  test("all succeed over the transport, retried where a used connection was reset", async () => {
    const upstream = await fickleUpstream(1);
    const transport = transportTo(upstream.port);
    const outcomes = await underLoad(total, 16, (index) => getInTheEnd(transport, `/${index}`));
    expect(outcomes.map(({ body }) => body)).toEqual(outcomes.map((_, index) => `/${index}`));
    expect(upstream.ends()).toBeGreaterThan(total / 20);
    expect(outcomes.filter(({ connectMs }) => connectMs === undefined).length).toBeGreaterThan(total / 20);
  });

  test("all succeed through a proxy, whatever the idempotent method", async () => {
    const upstream = await fickleUpstream(2);
    const { url, proxy } = await startProxy({ upstreams: [`http://127.0.0.1:${upstream.port}`] });
    const agent = keepAlive(16);
    const methods = ["GET", "HEAD", "PUT", "DELETE"];
    const answers = await underLoad(total, 16, async (index) => {
      const method = methods[index % methods.length] as string;
      const { status, text } = await fetchFrom(`${url}/${index}`, {
        agent,
        method,
        body: method === "PUT" ? "small" : undefined,
      });
      return [status, text];
    });
    const expected = answers.map((_, index) => [200, methods[index % methods.length] === "HEAD" ? "" : `/${index}`]);
    expect(answers).toEqual(expected);
    expect(upstream.ends()).toBeGreaterThan(total / 20);
    // Such a race is no failure of the upstream.
    expect(onlyPool(proxy).snapshot().upstreams).toMatchObject([{ health: "unknown", inFlight: 0 }]);
  });
});

/** As forwarding does it: a reset of a used connection is tried again, once and on a fresh one. */
async function getInTheEnd(
  transport: Http1Transport,
  path: string,
): Promise<{ body: string; connectMs: number | undefined }> {
  const first = await ask(transport, path).ended();
  if (first.failure === undefined) return first;
  expect(first.failure).toMatchObject({ code: "reset", reused: true, sent: true });
  const second = await ask(transport, path, { freshConnection: true }).ended();
  expect(second.failure).toBeUndefined();
  return second;
}
