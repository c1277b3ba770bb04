/**
 * The raw cases, translated, over HTTP/2. After each of them:
 *
 * - every stream has ended with a response or a reset, and the connection serves another request or has sent GOAWAY
 * - the upstream has read no request, body, framing or connection-specific field but those of correct requests
 * - three clients on new connections each receive their own response
 * - each request has one event
 */

import { describe, expect, test } from "vitest";
import type { RequestEvent } from "../../src/events.ts";
import { errorCode, frameType } from "../../src/http2/protocol.ts";
import { FrameClient } from "../support/frame-client.ts";
import { block, continuation, data, headers, reset } from "../support/frame-server.ts";
import { type Http2Front, startHttp2Front } from "../support/http2-front.ts";
import { type Form, hasConnectionFields, type TranslatedRequest, translate } from "../support/http2-translation.ts";
import { type CaseLists, onePool, type RawCase } from "../support/raw-case.ts";
import {
  isTagged,
  type RecordingUpstream,
  recordingUpstream,
  type SeenRequest,
} from "../support/recording-upstream.ts";
import { valuesOf } from "../support/strict-http.ts";
import { common, framing, upstreamSide } from "./case-lists.ts";
import { exactFaults } from "./cases/exact-faults.ts";
import { mounts } from "./cases/mounts.ts";

const lists: CaseLists = { ...framing, ...common, ...upstreamSide, "exact faults": exactFaults, mounts };
const victims = 3;
const timeoutMs = 15_000;
const frameBytes = 16_384;
const windowBytes = 65_535;

interface Row {
  readonly id: string;
  readonly form: Form;
  readonly rawCase: RawCase;
  readonly requests: readonly TranslatedRequest[];
}

/** The forms of a case that differ; none for syntax of HTTP/1.1. */
function rowsOf(rawCase: RawCase): Row[] {
  const { id, bytes } = rawCase;
  const text = typeof bytes === "string" ? bytes : bytes.toString("latin1");
  const row = (form: Form): Row[] => {
    const requests = translate(text, form);
    return requests === undefined ? [] : [{ id, form, rawCase, requests }];
  };
  const verbatim = row("verbatim");
  return verbatim.some(({ requests }) => hasConnectionFields(requests)) ? [...verbatim, ...row("clean")] : verbatim;
}

/** Translated cases and those that are syntax of HTTP/1.1, by list. */
const counts: Readonly<Record<string, readonly [translated: number, syntax: number]>> = {
  "chunked framing": [92, 61],
  "request framing": [185, 7],
  "connection token stripping": [91, 0],
  "early answers": [94, 0],
  "header limits": [21, 1],
  "host and forwarded headers": [147, 0],
  pipelining: [29, 1],
  "request line": [39, 24],
  "targets and routing": [133, 0],
  upgrades: [61, 1],
  "upstream truncation": [91, 0],
  "upgrade answers": [31, 0],
  "upstream answers": [119, 0],
  "exact faults": [28, 18],
  mounts: [72, 0],
};

describe.each(Object.entries(lists))("%s", (name, cases) => {
  const translated = cases.map((rawCase) => ({ rawCase, rows: rowsOf(rawCase) }));
  const syntax = translated.filter(({ rows }) => rows.length === 0).map(({ rawCase }) => rawCase);
  test("every case is translated or syntax of HTTP/1.1", () => {
    const listed = syntax.map(({ id }) => id).join("\n");
    expect([cases.length - syntax.length, syntax.length], listed).toEqual(counts[name]);
  });
  const rows = translated.flatMap((one) => one.rows);
  const isPlain = ({ rawCase, requests }: Row) =>
    (rawCase.options === undefined && rawCase.upstream === undefined) ||
    // Refused before a route or an upstream is looked for.
    requests.every(({ fields }) => fields.some(isMalformedField));
  // One proxy for all that need no other, so that what one case leaves in it reaches the next.
  test("cases with a plain upstream", async () => {
    const lab = await openLab();
    for (const row of rows.filter(isPlain)) await named(row, lab);
  });
  test.each(rows.filter((row) => !isPlain(row)))("$id, $form", { timeout: timeoutMs }, async (row) => {
    await runRow(row, await openLab(row.rawCase));
  });
});

interface Lab {
  readonly upstream: RecordingUpstream;
  readonly front: Http2Front;
}

async function openLab({ upstream: script, options = onePool }: Partial<RawCase> = {}): Promise<Lab> {
  const upstream = await recordingUpstream(script);
  return { upstream, front: await startHttp2Front(options(upstream.url)) };
}

/** Names the case that an error is about, and ends one that hangs. */
async function named(row: Row, lab: Lab): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("it hangs")), timeoutMs);
  });
  try {
    await Promise.race([runRow(row, lab), late]);
  } catch (error) {
    throw new Error(`${row.id}, ${row.form}: ${String(error)}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

async function runRow({ rawCase, requests }: Row, { upstream, front }: Lab): Promise<void> {
  const before = { heads: upstream.heads.length, requests: upstream.requests.length, events: front.requests.length };
  const events = () => front.requests.slice(before.events);
  const client = await FrameClient.to({ port: front.port });
  await Promise.all(requests.map((request, index) => send(client, 2 * index + 1, request, rawCase.answers !== 0)));
  const isOver = (id: number) => client.response(id).complete || client.response(id).resetCode !== undefined;
  const ids = requests.map((_, index) => 2 * index + 1);
  const cancelled = new Set(ids.filter((id, index) => requests[index]?.unfinished === true && !isOver(id)));
  await client.until(() => client.ended || ids.every((id) => isOver(id) || cancelled.has(id)));
  if (client.ended) expect(client.goaways.length, "the connection ends without GOAWAY").toBeGreaterThan(0);
  else if (client.goaways.length === 0) await expectServed(client, ids.length * 2 + 1, "/sentinel/");
  client.socket.destroy();
  expectWellFormed(client);
  await Promise.all(Array.from({ length: victims }, (_, index) => expectVictimServed(front.port, `/victim/${index}`)));
  await front.until(() => front.closed === front.connections.length && victimsAmong(events()) >= victims);
  expectNothingElseUpstream(upstream, requests, before);
  expectOneEventEach(events(), client, ids, cancelled);
}

/** Sends what of a request the windows and the response allow. */
async function send(client: FrameClient, id: number, request: TranslatedRequest, answered: boolean): Promise<void> {
  const { fields, body, trailers, unfinished } = request;
  const ends = !unfinished && trailers.length === 0;
  client.send(...headerFrames(id, block(...fields), ends && body.length === 0));
  const over = () => client.ended || client.response(id).resetCode !== undefined || client.response(id).complete;
  for (let position = 0; position < body.length; ) {
    if (position > 0 || sentOn(client) > 0) await client.until(() => over() || room(client, id, position) > 0);
    if (over()) return;
    const end = Math.min(body.length, position + room(client, id, position));
    sent.set(client, sentOn(client) + end - position);
    client.send(data(id, body.subarray(position, end), ends && end === body.length));
    position = end;
  }
  if (trailers.length > 0) client.send(...headerFrames(id, block(...trailers), true));
  if (!unfinished) return;
  if (answered) await client.until(() => over() || client.response(id).status > 0);
  if (!over()) client.send(reset(id, errorCode.cancel));
}

const sent = new WeakMap<FrameClient, number>();
const sentOn = (client: FrameClient) => sent.get(client) ?? 0;

function room(client: FrameClient, id: number, position: number): number {
  const granted = (streamId: number) =>
    client
      .of(frameType.windowUpdate, streamId)
      .reduce((sum, { payload }) => sum + payload.readUInt32BE(0), windowBytes);
  return Math.max(0, Math.min(granted(id) - position, granted(0) - sentOn(client), frameBytes));
}

function headerFrames(id: number, fields: Buffer, endStream: boolean): Buffer[] {
  const count = Math.max(1, Math.ceil(fields.length / frameBytes));
  return Array.from({ length: count }, (_, index) => {
    const part = fields.subarray(index * frameBytes, (index + 1) * frameBytes);
    const endHeaders = index === count - 1;
    return index === 0 ? headers(id, part, { endStream, endHeaders }) : continuation(id, part, endHeaders);
  });
}

async function expectVictimServed(port: number, path: string): Promise<void> {
  const victim = await FrameClient.to({ port });
  await expectServed(victim, 1, path);
  victim.socket.destroy();
}

async function expectServed(client: FrameClient, id: number, path: string): Promise<void> {
  const fields = [
    [":method", "GET"],
    [":scheme", "http"],
    [":authority", "h"],
    [":path", path],
  ] as const;
  client.send(headers(id, fields, { endStream: true }));
  const { status, body, complete } = await client.over(id);
  expect([status, body.toString("latin1"), complete]).toEqual([200, path, true]);
}

const hopByHop = ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];

/** RFC 9113 section 8.2. */
function expectWellFormed(client: FrameClient): void {
  for (const { headers: fields, trailers, informational } of client.responses.values()) {
    for (const list of [fields, trailers, ...informational.map((one) => one.headers)]) {
      const names = list.filter((_, index) => index % 2 === 0);
      expect(names.filter((name) => hopByHop.includes(name) || /[^!#-'*+.^_`|~0-9a-z-]/.test(name))).toEqual([]);
    }
  }
}

/** The strict reader of the upstream has already checked that there is one Host and one framing. */
function expectNothingElseUpstream(
  upstream: RecordingUpstream,
  requests: readonly TranslatedRequest[],
  before: { readonly heads: number; readonly requests: number },
): void {
  const own = ({ target }: SeenRequest) => !isTagged(target);
  expect(upstream.violations).toEqual([]);
  const left = requests.filter(isCorrect);
  for (const seen of upstream.heads.slice(before.heads).filter(own)) {
    const index = left.findIndex((request) => isOf(seen, request));
    expect(index, `no correct request that was sent: ${seen.head}`).not.toBe(-1);
    const [request] = left.splice(index, 1) as [TranslatedRequest];
    // The TE of a hop is named in its Connection (RFC 9110 section 10.1.4).
    const te = valuesOf(seen.fields, "te");
    expect(te.filter((value) => value !== "trailers")).toEqual([]);
    expect(valuesOf(seen.fields, "connection")).toEqual(te.length === 0 ? [] : ["TE"]);
    for (const name of ["keep-alive", "proxy-connection", "upgrade", "http2-settings", "expect"]) {
      expect(valuesOf(seen.fields, name), name).toEqual([]);
    }
    const authority = request.fields
      .filter(([name]) => name === ":authority" || name === "host")
      .map(([, value]) => value);
    expect([...authority, `127.0.0.1:${upstream.port}`]).toContain(valuesOf(seen.fields, "host")[0]);
  }
  for (const seen of upstream.requests.slice(before.requests).filter(own)) {
    const bodies = requests
      .filter((request) => isOf(seen, request) && isCorrect(request) && hasItsLength(request))
      .map(({ body }) => body.toString("latin1"));
    expect(bodies.includes(seen.body.toString("latin1")), `a body that was not sent: ${seen.head}`).toBe(true);
  }
}

/** One entity is asked for, and one length is given (RFC 9113 sections 8.1.1 and 8.3.1). */
function isCorrect({ fields }: TranslatedRequest): boolean {
  const of = (wanted: string) => fields.filter(([name]) => name === wanted).map(([, value]) => value);
  const entities = [...of(":authority"), ...of("host")].map((value) => value.toLowerCase().replace(/:(?:80)?$/, ""));
  const counts = [of("host"), of("content-length")].map(({ length }) => length);
  return !fields.some(isMalformedField) && new Set(entities).size <= 1 && counts.every((count) => count <= 1);
}

function hasItsLength({ fields, body }: TranslatedRequest): boolean {
  return fields.every(([name, value]) => name !== "content-length" || Number(value) === body.length);
}

/** RFC 9113 sections 8.2.1 and 8.2.2. */
function isMalformedField([name, value]: readonly [string, string]): boolean {
  const token = name.startsWith(":") || /^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name);
  return (
    !token || hopByHop.includes(name) || /[\0\r\n]|^[ \t]|[ \t]$/.test(value) || (name === "te" && value !== "trailers")
  );
}

/** Routes of the cases change targets in two ways. */
function isOf({ method, target }: SeenRequest, { fields, path }: TranslatedRequest): boolean {
  const paths = [path, path.replace("/api", "/v1"), `/found${path}`];
  return paths.includes(target) && fields.some(([name, value]) => name === ":method" && value === method);
}

function victimsAmong(events: readonly RequestEvent[]): number {
  return events.filter(({ url }) => url.startsWith("/victim/")).length;
}

function expectOneEventEach(
  events: readonly RequestEvent[],
  client: FrameClient,
  ids: readonly number[],
  cancelled: ReadonlySet<number>,
): void {
  const own = events.filter(({ url }) => !isTagged(url)).length;
  const refused = ids.filter((id) => client.response(id).resetCode === errorCode.refusedStream).length;
  const lost = client.goaways.length > 0 ? ids.length : refused;
  expect(own).toBeLessThanOrEqual(ids.length);
  expect(own).toBeGreaterThanOrEqual(ids.length - lost - cancelled.size);
  expect(victimsAmong(events)).toBe(victims);
  const requestIds = events.map(({ requestId }) => requestId).filter((id) => id !== "");
  expect(new Set(requestIds).size).toBe(requestIds.length);
}
