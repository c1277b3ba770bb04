/** The schema of a trace, composed of the field schemas of the options. */

import * as z from "zod";
import { limits } from "../../config/defaults.ts";
import {
  duration,
  flag,
  fraction,
  integer,
  list,
  method,
  oneOf,
  record,
  table,
  text,
  upstreamUrl,
} from "../../config/schema/field-schemas.ts";
import type { Trace, TracedRequest } from "./trace.ts";

const time = () =>
  z.union([duration(), z.number().min(0).max(86_400_000)], {
    error: 'expected a time such as "1.5s", or milliseconds from 0 to 24h',
  });

const latency = z.union(
  [duration(), table({ from: duration(), to: duration() }), table({ p50: duration(1), p99: duration(1) })],
  { error: 'expected a duration, { from = "10ms", to = "30ms" } or { p50 = "20ms", p99 = "200ms" }' },
);

const failures = record(
  "shares of requests by kind of failure",
  text("a kind of failure").regex(/^(?:refuse|reset|hang|[1-5]\d\d)$/, {
    error: 'expected "refuse", "reset", "hang" or a status such as "503"',
  }),
  fraction(0, 1),
);

const url = () => text('a path such as "/api", or a URL');

const request = table({
  at: time(),
  key: text("a key").optional(),
  method: method().optional(),
  url: url().optional(),
  client: text("an address").optional(),
});

const generated = table({
  rate: fraction(0, 1_000_000),
  duration: duration(1),
  keys: integer(1, 1_000_000_000).optional(),
  method: method().optional(),
  url: url().optional(),
});

const model = table({
  latency: latency.optional(),
  failures: failures.optional(),
  concurrency: integer(1, 10_000).optional(),
});

const join = table({
  url: upstreamUrl(),
  weight: integer(0, limits.maxWeight).optional(),
  backup: flag().optional(),
  maxInFlight: integer(1, 1_000_000).optional(),
});

const step = table({
  at: duration(),
  upstream: text("an upstream's id").optional(),
  rate: fraction(0, 1_000_000).optional(),
  slower: fraction(0.001, 1_000_000).optional(),
  down: flag().optional(),
  failures: failures.optional(),
  weight: integer(0, limits.maxWeight).optional(),
  state: oneOf(["active", "draining", "disabled"]).optional(),
  join: join.optional(),
  leave: z.literal(true, { error: "expected true" }).optional(),
});

const requests = list("requests", request);

const trace = table({
  requests: z.union([requests, generated], {
    error: "expected a rate and a duration, or an array of requests",
  }),
  upstreams: record("upstreams", text("an upstream's id"), model).optional(),
  script: list("steps", step).optional(),
});

export const requestsSchema: z.ZodType<TracedRequest[]> = requests as z.ZodType as z.ZodType<TracedRequest[]>;

export const traceSchema: z.ZodType<Trace> = trace as z.ZodType as z.ZodType<Trace>;
