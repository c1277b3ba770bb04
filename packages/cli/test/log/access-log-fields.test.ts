import { accessLogFields } from "@evenkeel/config";
import type { RequestEvent } from "evenkeel";
import { expect, test } from "vitest";
import { compileFields } from "../../src/log/access-log-fields.ts";
import { toJsonLine } from "../../src/log/access-log-format.ts";
import { retriedRequest } from "../support/request-events.ts";

const plain: RequestEvent = {
  ...retriedRequest,
  host: "example.com:8443",
  attempts: [{ upstream: "b", status: 200, connectMs: 0.5, headersMs: 1 }],
  userAgent: undefined,
};

/** Hostile, with every field. */
const full: RequestEvent = {
  ...plain,
  host: "[::1]:80",
  url: '/"\n\u2028\ud800',
  protocol: "HTTP/2",
  grpcStatus: 14,
  error: "connect_refused",
  cause: new Error("refused\u0007", { cause: "no\troute" }),
  flags: [],
  traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01`,
  traceId: "a".repeat(32),
  spanId: "b".repeat(16),
  userAgent: 'curl/8 "\\',
  referer: "http://user:password@example.com/",
};

test.each([plain, full])("without changes a compiled line is the line of the format json %#", (event) => {
  expect(compileFields({})(event)).toBe(toJsonLine(event));
});

test("fields are removed, renamed and added", () => {
  const removed = accessLogFields.filter((field) => !["status", "durationMs", "pool"].includes(field));
  const options = {
    remove: removed,
    rename: { durationMs: "took" },
    add: { service: 'edge "1"\n', shard: 3, canary: false },
  };
  const end = '"service":"edge \\"1\\"\\n","shard":3,"canary":false}\n';
  expect(compileFields(options)(plain)).toBe(`{"status":200,"took":1.235,"pool":"api",${end}`);
  expect(compileFields({ ...options, remove: accessLogFields })(plain)).toBe(`{${end}`);
  expect(compileFields({ remove: accessLogFields })(plain)).toBe("{}\n");
});

test("the names of the Elastic Common Schema have its units", () => {
  expect(JSON.parse(compileFields({ preset: "ecs", remove: ["attempts"] })(full))).toEqual({
    "@timestamp": "2024-02-29T23:59:59.007Z",
    "http.request.id": "r1",
    "client.address": "192.0.2.1",
    "http.request.method": "GET",
    "url.domain": "::1",
    "url.original": full.url,
    "http.version": "2",
    "http.response.status_code": 200,
    "evenkeel.grpc_status": 14,
    "http.request.body.bytes": 0,
    "http.response.body.bytes": 12,
    "event.duration": 1_235_000,
    "evenkeel.route": "/*",
    "evenkeel.pool": "api",
    "evenkeel.upstream": "b",
    "error.code": "connect_refused",
    "error.message": "refused\u0007: no\troute",
    "evenkeel.flags": [],
    "evenkeel.traceparent": full.traceparent,
    "trace.id": full.traceId,
    "span.id": full.spanId,
    "user_agent.original": full.userAgent,
    "http.request.referrer": "http://***@example.com/",
    "ecs.version": "8.11.0",
    "event.dataset": "evenkeel.access",
  });
});

test("the names of OpenTelemetry, with changes to them", () => {
  const format = compileFields({ preset: "otel", rename: { durationMs: "took" }, remove: ["attempts", "flags"] });
  expect(JSON.parse(format(plain))).toEqual({
    timestamp: "2024-02-29T23:59:59.007Z",
    "evenkeel.request_id": "r1",
    "client.address": "192.0.2.1",
    "http.request.method": "GET",
    "server.address": "example.com",
    "url.original": "/a?b=c",
    "network.protocol.version": "1.1",
    "http.response.status_code": 200,
    "http.request.body.size": 0,
    "http.response.body.size": 12,
    took: 1.235,
    "http.route": "/*",
    "evenkeel.pool": "api",
    "evenkeel.upstream": "b",
  });
});
