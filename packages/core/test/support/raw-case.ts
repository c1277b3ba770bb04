/**
 * Raw cases: exact bytes from a client, through the proxy, to an upstream that records and answers by a script; then
 * what is expected of the case, and after every case what holds for all of them:
 *
 * - the upstream has parsed as many requests as the request events account for
 * - each request that the proxy saw ended in exactly one request event
 * - what the proxy sent, both ways, parses strictly
 * - clients that come afterwards each get their own answer
 * - nothing stays behind: no request, no socket, no stray error
 *
 * After the last case of a list more clients come, to its proxy and to one that has stood since before the first case: what
 * one case leaves in the process would reach those.
 */

import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { ProxyOptions } from "../../src/config/options.ts";
import { errorKind } from "../../src/errors.ts";
import type { RequestEvent } from "../../src/events.ts";
import { until } from "./event-loop.ts";
import type { Layer, LayerTraits, Serving } from "./layers.ts";
import { type End, everyPackets, type Packets, StrictClient, saysClose } from "./raw-client.ts";
import {
  isTagged,
  openRecordingUpstream,
  type RecordingUpstream,
  recordingUpstream,
  type Script,
  type SeenRequest,
} from "./recording-upstream.ts";
import type { StrictResponse } from "./strict-http.ts";

/** What a case is, as data. */
export interface RawCase {
  readonly id: string;
  /** What the client sends; a string is Latin-1. */
  readonly bytes: string | Buffer;
  readonly expect: Expectation;
  readonly upstream?: Script;
  /** Default: one pool with the upstream, and no retries. */
  readonly options?: (upstreamUrl: string) => ProxyOptions;
  /** Final answers to wait for. Default: 1. */
  readonly answers?: number;
  /** What the client waits to have received beside the answers. */
  readonly until?: RegExp;
  /** Of the requests, as far as they are not GET: an answer to HEAD has no body. */
  readonly methods?: readonly string[];
  /** Default: all three. */
  readonly packets?: readonly Packets[];
}

/** What became of a case. */
export interface Outcome {
  readonly responses: readonly StrictResponse[];
  readonly informational: readonly StrictResponse[];
  /** How the connection ended; undefined while it is open. */
  readonly how: End | undefined;
  /** Milliseconds from the last byte of the last answer until the connection's end. */
  readonly closedAfterMs: number;
  /** A request sent behind the case's was answered. */
  readonly followed: boolean;
  /** Everything that the client received. */
  readonly text: string;
  readonly upstream: RecordingUpstream;
  /** Requests that the upstream has read, without those of the test itself. */
  readonly requests: readonly SeenRequest[];
  readonly heads: readonly SeenRequest[];
  readonly events: readonly RequestEvent[];
  readonly traits: LayerTraits;
}

/** Says what is wrong with an outcome; nothing when it is as it should be. */
export type Expectation = (outcome: Outcome) => string[];

/** Case lists by name. */
export type CaseLists = Readonly<Record<string, readonly RawCase[]>>;

const answerMs = 10_000;
const closeMs = 1_000;
const settleMs = 5_000;
/** Clients that come after each case. */
const victims = 3;
/** Clients that come after the last case of a list, to each of the two proxies. */
const lastVictims = 20;

/** One test for each case of the lists and each way to cut it into packets, as far as the layer is to see both. */
export function testCases(
  layer: Layer,
  lists: CaseLists,
  { only = everyPackets }: { readonly only?: readonly Packets[] } = {},
): void {
  describe.each(Object.entries(lists))("%s", (_name, cases) => {
    const rows = cases.flatMap((rawCase) =>
      (rawCase.packets ?? everyPackets)
        .filter((packets) => only.includes(packets))
        .map((packets) => ({ id: rawCase.id, packets, rawCase })),
    );
    const last = rows.at(-1);
    const kept = keptProxy(layer);
    test.each(rows)("$id, $packets", (row) =>
      runCase(layer, row.rawCase, row.packets, row === last ? lastVictims : victims),
    );
    test("a proxy that stands beside all cases answers every client", () => kept.serves(lastVictims));
  });
}

/** A proxy with an upstream, for as long as the cases of a list run. It has a connection to its upstream from the start. */
function keptProxy(layer: Layer): { serves(count: number): Promise<void> } {
  let upstream: RecordingUpstream;
  let serving: Serving;
  let closeUpstream: (() => Promise<void>) | undefined;
  beforeAll(async () => {
    ({ upstream, close: closeUpstream } = await openRecordingUpstream());
    serving = await layer(onePool(upstream.url));
    await expectVictimsServed(serving.port, 1);
  });
  afterAll(async () => {
    await serving.close();
    await closeUpstream?.();
  });
  return {
    serves: async (count) => {
      await expectVictimsServed(serving.port, count);
      await expectNothingLeft(serving);
      expectAccountsToAgree(serving, upstream);
      expect(upstream.requests.length).toBe(count + 1);
    },
  };
}

async function runCase(layer: Layer, rawCase: RawCase, packets: Packets, clients: number): Promise<void> {
  const strays = watchStrays();
  const handlesBefore = openHandles();
  const upstream = await recordingUpstream(rawCase.upstream);
  const serving = await layer((rawCase.options ?? onePool)(upstream.url));
  try {
    const outcome = await converse(rawCase, packets, serving, upstream);
    const complaints = rawCase.expect(outcome);
    expect(complaints, complaints.length > 0 ? describeOutcome(outcome) : "").toEqual([]);
    // Where no connection to the upstream has been opened, there is none to be shared.
    await expectVictimsServed(serving.port, upstream.received.length === 0 ? Math.min(2, clients) : clients);
    await expectNothingLeft(serving);
    expectAccountsToAgree(serving, upstream);
  } finally {
    await serving.close();
  }
  // The upstream itself still listens.
  await until(() => upstream.sockets.size === 0 && openHandles() <= handlesBefore + 1, settleMs);
  expect(upstream.sockets.size).toBe(0);
  expect(openHandles()).toBeLessThanOrEqual(handlesBefore + 1);
  const strayed = strays();
  expect(strayed, strayed.join("\n")).toEqual([]);
}

/** One pool with the upstream; nothing is tried twice, so that what the upstream sees is what was sent. */
export function onePool(url: string): ProxyOptions {
  return { upstreams: [url], retry: { attempts: 0 } };
}

async function converse(
  rawCase: RawCase,
  packets: Packets,
  serving: Serving,
  upstream: RecordingUpstream,
): Promise<Outcome> {
  const { bytes, answers = 1, methods = [], until: received = /(?:)/ } = rawCase;
  const client = await StrictClient.to(serving.port);
  await client.send(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes, packets);
  const answered = () => {
    const { responses } = client.read(methods);
    return responses.length >= answers && (answers === 0 || responses[answers - 1]?.complete === true);
  };
  await client.when(answered, answerMs);
  await client.when(() => received.test(client.text), closeMs);
  const answeredAt = performance.now();
  const last = client.read(methods).responses.at(-1);
  // Whatever is sent now has to be the next request, or nothing at all.
  if (client.how === undefined) {
    const farewell = last !== undefined && saysClose(last) ? "" : "Connection: close\r\n";
    client.socket.write(`GET /sentinel/ HTTP/1.1\r\nHost: h\r\n${farewell}\r\n`);
  }
  await client.when(() => client.how !== undefined, last?.status === 101 ? 0 : closeMs);
  const { responses, informational, violation, partial } = client.read(methods);
  const followed = responses.at(-1)?.body.toString().startsWith("/sentinel/") ?? false;
  const { how, text } = client;
  client.socket.destroy();
  await expectNothingLeft(serving);
  expect(violation, text).toBeUndefined();
  if (how === "end") expect(partial, "an answer's head breaks off in good order").toBe("");
  const own = ({ target }: SeenRequest) => !isTagged(target);
  return {
    responses: followed ? responses.slice(0, -1) : responses,
    informational,
    how,
    closedAfterMs: how === undefined ? Infinity : Math.max(0, client.endedAt - answeredAt),
    followed,
    text,
    upstream,
    requests: upstream.requests.filter(own),
    heads: upstream.heads.filter(own),
    events: serving.requests.filter(({ url }) => !isTagged(url)),
    traits: serving.traits,
  };
}

/** Clients that come afterwards, over fresh connections, get their own answers: nothing was left in a shared connection. */
async function expectVictimsServed(port: number, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    const client = await StrictClient.to(port);
    client.socket.write(`GET /victim/${index} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`);
    await client.when(() => client.how !== undefined, answerMs);
    const { responses, violation, partial } = client.read([]);
    client.socket.destroy();
    const answer = responses.map(({ status, body }) => `${status} ${body.toString("latin1")}`);
    expect([...answer, violation, partial]).toEqual([`200 /victim/${index}`, undefined, ""]);
  }
}

async function expectNothingLeft(serving: Serving): Promise<void> {
  await until(() => serving.leftovers().length === 0, settleMs);
  expect(serving.leftovers()).toEqual([]);
}

function expectAccountsToAgree({ requests, accepted }: Serving, upstream: RecordingUpstream): void {
  expect(upstream.violations).toEqual([]);
  const attempts = requests.flatMap((event) => event.attempts);
  const answered = attempts.filter(({ status }) => status !== undefined).length;
  const sent = attempts.filter(({ error }) => error === undefined || errorKind(error).phase !== "connect").length;
  const seen = upstream.heads.length;
  expect(seen, "the upstream has read requests that no event accounts for").toBeLessThanOrEqual(sent);
  expect(seen, "an answer was passed on to a request that the upstream has not read").toBeGreaterThanOrEqual(answered);
  expect(new Set(requests.map(({ requestId }) => requestId).filter((id) => id !== "")).size).toBe(
    requests.filter(({ requestId }) => requestId !== "").length,
  );
  if (accepted !== undefined) expect(requests.length, "more events than requests").toBeLessThanOrEqual(accepted);
}

/** Warnings, uncaught exceptions and unhandled rejections from now on. */
export function watchStrays(): () => string[] {
  const strays: string[] = [];
  const onStray = (error: unknown) => void strays.push(String(error));
  process.on("warning", onStray);
  process.on("uncaughtExceptionMonitor", onStray);
  process.on("unhandledRejection", onStray);
  onTestFinished(() => {
    process.off("warning", onStray);
    process.off("uncaughtExceptionMonitor", onStray);
    process.off("unhandledRejection", onStray);
  });
  return () => strays;
}

/** Sockets and servers that the process holds. */
export function openHandles(): number {
  return process.getActiveResourcesInfo().filter((name) => /^(?:TCP|Pipe|TLS)/.test(name)).length;
}

function describeOutcome({ text, how, events, heads, upstream }: Outcome): string {
  const seen = heads.map(({ head, body }) => head + body.toString("latin1"));
  const told = events.map(({ method, url, status, error, flags }) => [method, url, status, error, ...flags]);
  return JSON.stringify({ text: text.slice(0, 2_000), how, seen, told, violations: upstream.violations }, undefined, 2);
}
