/** Traces that the command sends to a receiver of OTLP over HTTP. */

import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { Conditions } from "../../../core/test/support/conditions.ts";
import { serve } from "../support/cli.ts";
import { poolOf } from "../support/configs.ts";
import { sendRequest, startUpstream } from "../support/http.ts";

interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue?: string; readonly intValue?: number };
}

interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
}

interface TraceRequest {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly { readonly spans: readonly Span[] }[];
  }[];
}

/** A collector. `respond` is the status of its responses; with 0 there are none. */
async function startReceiver(respond = 200) {
  const spans: (Span & { readonly service: string | undefined; readonly pid: number | undefined })[] = [];
  const requests: { readonly path: string | undefined; readonly headers: IncomingHttpHeaders }[] = [];
  const conditions = new Conditions();
  const server = createServer((req, res) => {
    void text(req).then((body) => {
      if (respond !== 0) res.writeHead(respond, { "content-type": "application/json" }).end("{}");
      requests.push({ path: req.url, headers: req.headers });
      for (const { resource, scopeSpans } of (JSON.parse(body) as TraceRequest).resourceSpans) {
        const of = (name: string) => resource.attributes.find(({ key }) => key === name)?.value;
        const [service, pid] = [of("service.name")?.stringValue, of("process.pid")?.intValue];
        for (const scope of scopeSpans) spans.push(...scope.spans.map((span) => ({ ...span, service, pid })));
      }
      conditions.check();
    });
  });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, spans, requests, until: (condition: () => boolean) => conditions.until(condition) };
}

test.each([1, 2])(
  "with workers = %i, each process that serves sends its spans, and the access log has their ids",
  async (workers) => {
    const receiver = await startReceiver();
    const received: (string | undefined)[] = [];
    const upstream = await startUpstream((req, res) => {
      received.push(req.headers["traceparent"] as string | undefined);
      res.end();
    });
    const config =
      `[server]\nlisten = "127.0.0.1:0"\nworkers = ${workers}\n${poolOf(upstream.url)}` +
      `[tracing]\nendpoint = "${receiver.url}/v1/traces"\nserviceName = "edge"\nheaders = { x-api-key = "k" }\n`;
    // Only the stop sends spans, within this test.
    const { url, stdout, kill, ended } = await serve(config, { env: { OTEL_BSP_SCHEDULE_DELAY: "600000" } });
    const requests = 2 * workers;
    for (let count = 0; count < requests; count++) expect((await sendRequest(url)).status).toBe(200);
    const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
    const unsampled = `00-${traceId}-00f067aa0ba902b7-00`;
    await sendRequest(url, { headers: { traceparent: unsampled } });
    kill("SIGTERM");
    await ended;
    await receiver.until(() => receiver.spans.length >= 2 * requests);

    expect(receiver.requests[0]).toMatchObject({ path: "/v1/traces", headers: { "x-api-key": "k" } });
    const servers = receiver.spans.filter(({ kind }) => kind === 2);
    const clients = receiver.spans.filter(({ kind }) => kind === 3);
    expect([servers.length, clients.length]).toEqual([requests, requests]);
    expect(new Set(receiver.spans.map(({ service }) => service))).toEqual(new Set(["edge"]));
    expect(new Set(receiver.spans.map(({ pid }) => pid)).size).toBe(workers);
    // Each attempt is a child of its request, and the parent of what the upstream does.
    for (const client of clients) {
      expect(servers.find(({ spanId }) => spanId === client.parentSpanId)?.traceId).toBe(client.traceId);
      expect(received).toContain(`00-${client.traceId}-${client.spanId}-01`);
    }
    expect(received.at(-1)).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-00$`));
    expect(received.at(-1)).not.toBe(unsampled);
    // Workers write their lines in blocks, one after the other.
    const isLast = ({ traceId: ofLine }: Readonly<Record<string, unknown>>) => ofLine === traceId;
    const others = stdout.records.filter((line) => !isLast(line));
    expect(others.map(({ spanId }) => spanId).sort()).toEqual(servers.map(({ spanId }) => spanId).sort());
    expect(stdout.records.find(isLast)).toMatchObject({ traceId, traceparent: unsampled });
  },
);

test("a receiver that refuses spans is one warning, and requests are served", async () => {
  const receiver = await startReceiver(400);
  const upstream = await startUpstream((_req, res) => res.end());
  const config =
    `[server]\nlisten = "127.0.0.1:0"\n${poolOf(upstream.url)}` +
    `[tracing]\nendpoint = "${receiver.url}"\nsampleRatio = 1\n`;
  const { url, stderr, kill, ended } = await serve(config, { env: { OTEL_BSP_SCHEDULE_DELAY: "20" } });
  for (let count = 0; count < 3; count++) {
    expect((await sendRequest(url)).status).toBe(200);
    await receiver.until(() => receiver.requests.length > count);
  }
  expect(await stderr.record(({ level }) => level === "warn")).toMatchObject({
    msg: expect.stringMatching(/^traces cannot be sent: /),
  });
  kill("SIGTERM");
  expect((await ended).code).toBe(0);
  // The first at once; the others, counted, at the stop.
  expect(stderr.records.filter(({ level }) => level === "warn").map(({ times }) => times)).toEqual([
    1,
    expect.any(Number),
  ]);
});

test("a receiver that does not respond delays a stop for 2 seconds, and the log says that spans are lost", async () => {
  const receiver = await startReceiver(0);
  const upstream = await startUpstream((_req, res) => res.end());
  const tracing = `[tracing]\nendpoint = "${receiver.url}"\n`;
  const config = `[server]\nlisten = "127.0.0.1:0"\n${poolOf(upstream.url)}${tracing}`;
  const { url, stderr, kill, ended } = await serve(config, { env: { OTEL_BSP_SCHEDULE_DELAY: "20" } });
  expect((await sendRequest(url)).status).toBe(200);
  await receiver.until(() => receiver.requests.length > 0);
  kill("SIGTERM");
  expect((await ended).code).toBe(0);
  expect(stderr.records.find(({ level }) => level === "warn")).toMatchObject({
    msg: "traces cannot be sent: the last spans were not accepted in time",
  });
});
