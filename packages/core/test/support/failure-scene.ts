import { expect } from "vitest";
import type { PoolSettings, ProxyOptions, SharedOptions } from "../../src/config/options.ts";
import type { ProxySurroundings } from "../../src/proxy-surroundings.ts";
import { turns } from "./event-loop.ts";
import { StrictClient } from "./raw-client.ts";
import { echo, type RawUpstream, rawUpstream } from "./raw-upstream.ts";
import { type ClientView, type SceneResult, sceneResult } from "./scene-result.ts";
import { startProxy, type TestProxy } from "./start-proxy.ts";
import { valuesOf } from "./strict-http.ts";

/** One request through the proxy, and everything that may go wrong with it. */
export interface Scene {
  /** URLs of the upstreams, which are called `a`, `b` and so on, and are tried in this order. */
  readonly upstreams: readonly string[];
  /** Default: a GET. */
  readonly request?: string;
  /** For the one pool and the whole proxy. */
  readonly settings?: PoolSettings & SharedOptions;
  /** In place of all that. */
  readonly options?: ProxyOptions;
  readonly runtime?: ProxySurroundings;
  /** Runs when the request has been sent. */
  readonly meanwhile?: (stage: Stage) => void | Promise<void>;
}

export interface Stage {
  readonly client: StrictClient;
  readonly started: TestProxy;
}

export const get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
export const post = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nonce";

export const urlOf = ({ port }: RawUpstream): string => `http://127.0.0.1:${port}`;

/** An upstream that says this to every request, and no more. */
export function saying(bytes: string): Promise<RawUpstream> {
  return rawUpstream({ onRequest: ({ socket }) => void socket.write(bytes, "latin1") });
}

/** An upstream that answers every request with its path. */
export function well(): Promise<RawUpstream> {
  return rawUpstream({ onRequest: echo });
}

const patienceMs = 5_000;
const ids = "abcdefgh";
const sentinel = "OPTIONS * HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

/**
 * Plays a scene to its end. Whatever it is, there has been exactly one request event and one count for the request by then,
 * and nothing is in flight.
 */
export async function play(scene: Scene): Promise<SceneResult> {
  const { request = get, meanwhile } = scene;
  const started = await startScene(scene);
  const client = await StrictClient.to(started.port);
  client.socket.write(request, "latin1");
  await meanwhile?.({ client, started });
  return observe(started, client, request.slice(0, request.indexOf(" ")));
}

/** A proxy that tries its upstreams in order, with the shortest pauses before retries that there are. */
export function startScene({ upstreams, settings = {}, options, runtime }: Scene): Promise<TestProxy> {
  const members = upstreams.map((url, index) => ({ id: ids[index] as string, url }));
  const proxyOptions = options ?? { balance: "round-robin", upstreams: members, ...settings };
  return startProxy(proxyOptions, { runtime: { random: () => 0, ...runtime } });
}

/** Waits for the end of a client's only request, and gathers what is known of it. */
export async function observe(started: TestProxy, client: StrictClient, method = "GET"): Promise<SceneResult> {
  const answered = () => client.read([method]).responses.some(({ complete }) => complete);
  await client.when(answered, patienceMs);
  if (client.how === undefined) client.socket.write(sentinel);
  await client.when(() => client.how !== undefined, patienceMs);
  const { responses, violation } = client.read([method]);
  expect(violation, client.text).toBeUndefined();
  const [response, after] = responses;
  const kept = after?.status === 204;
  await started.finished(kept ? 2 : 1);
  // Whatever would come once too often has had its chance.
  await turns(5);
  const events = started.requests.filter(({ url }) => url !== "*");
  const { requests, pools } = started.proxy.snapshot();
  const counted = requests.filter((row) => row.method !== "OPTIONS");
  const view: ClientView = {
    status: response?.status ?? 0,
    complete: response?.complete === true,
    field: (name) => valuesOf(response?.fields ?? [], name)[0] ?? "",
    connection: kept ? "kept" : "closed",
  };
  return sceneResult(view, events, { requests: counted, pools });
}
