/**
 * The shape of the options as a schema. It says what is allowed; resolve.ts turns what passed into the resolved form.
 *
 * Objects are strict, so that an unknown key is an error at every level, `__proto__` included.
 */

import { isIP } from "node:net";
import * as z from "zod";
import { limits } from "./defaults.ts";
import { parseDuration, parseSize } from "./duration.ts";
import { parseUpstreamUrl } from "./upstream-url.ts";

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

const duration = (minMs = 0, maxMs = 86_400_000) =>
  z.string({ error: 'expected a duration such as "250ms", "5s" or "2m"' }).superRefine((text, context) => {
    const ms = parseDuration(text);
    if (ms === undefined) {
      fail(context, `expected a duration such as "250ms", "5s" or "2m", found ${JSON.stringify(text)}`);
    } else if (ms < minMs || ms > maxMs) {
      fail(context, `expected a duration from ${minMs}ms to ${maxMs}ms, found ${JSON.stringify(text)}`);
    }
  });

const size = () =>
  z.string({ error: 'expected a size such as "64kb" or "10mb"' }).superRefine((text, context) => {
    if (parseSize(text) === undefined) {
      fail(context, `expected a size such as "64kb" or "10mb", found ${JSON.stringify(text)}`);
    }
  });

const integer = (min: number, max: number) => {
  const error = `expected a whole number from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
};

const fraction = (min: number, max: number) => {
  const error = `expected a number from ${min} to ${max}`;
  return z.number({ error }).min(min, { error }).max(max, { error });
};

const flag = () => z.boolean({ error: "expected true or false" });

const oneOf = <const T extends readonly string[]>(values: T) =>
  z.enum(values, { error: `expected one of ${values.map((value) => `"${value}"`).join(", ")}` });

const text = (what: string) => z.string({ error: `expected ${what}` });

const method = () =>
  text("an HTTP method in capitals").regex(/^[A-Z][A-Z-]{0,31}$/, { error: "expected an HTTP method in capitals" });

const headerName = () => text("a header name").regex(token, { error: "expected a header name" });

const headerValue = () =>
  text("a header value").regex(/^[\t\x20-\x7e\x80-\xff]*$/, {
    error: "expected a header value without line breaks or control characters",
  });

const path = () =>
  text('a path that starts with "/"').superRefine((value, context) => {
    if (!/^\/[\x21-\x22\x24-\x3e\x40-\x7e]*$/.test(value)) {
      fail(context, `expected a path that starts with "/", without "?", "#" or spaces, found ${JSON.stringify(value)}`);
    } else if (value.split("/").some((segment) => segment === ".." || segment === ".")) {
      fail(context, `a path may not have "." or ".." as a segment, found ${JSON.stringify(value)}`);
    }
  });

const statusRange = () =>
  text('a status or a range such as "200-399"').superRefine((value, context) => {
    const match = /^([1-5]\d\d)(?:-([1-5]\d\d))?$/.exec(value);
    if (match === null || Number(match[2] ?? match[1]) < Number(match[1])) {
      fail(context, `expected a status or a range such as "200-399", found ${JSON.stringify(value)}`);
    }
  });

const upstream = z.strictObject({
  url: text("a URL").superRefine((value, context) => {
    const parsed = parseUpstreamUrl(value);
    if (typeof parsed === "string") fail(context, parsed);
  }),
  id: text("a name")
    .regex(/^[\w.:[\]@-]{1,128}$/, { error: "expected 1 to 128 letters, digits or any of . : _ - @ [ ]" })
    .optional(),
  weight: integer(0, limits.maxWeight).optional(),
  backup: flag().optional(),
  maxInFlight: integer(1, 1_000_000).optional(),
});

/** Parsed first as its union member so that findings inside an object keep their own path. */
const upstreamEntry = z.preprocess((value) => (typeof value === "string" ? { url: value } : value), upstream);

export const healthCheckSchema: z.ZodType = z.strictObject({
  type: oneOf(["http", "tcp"]).optional(),
  path: text('a path that starts with "/"')
    .regex(/^\/[\x21-\x22\x24-\x7e]*$/, { error: 'expected a path that starts with "/", without spaces or "#"' })
    .optional(),
  method: method().optional(),
  headers: z.record(headerName(), headerValue()).optional(),
  port: integer(1, 65_535).optional(),
  interval: duration(100).optional(),
  fastInterval: duration(100).optional(),
  timeout: duration(1).optional(),
  healthyThreshold: integer(1, 1_000).optional(),
  unhealthyThreshold: integer(1, 1_000).optional(),
  jitter: fraction(0, 0.5).optional(),
  expectStatus: z.array(statusRange()).min(1, { error: "expected at least one status or range" }).optional(),
  expectBody: text("a substring or a /regular expression/").superRefine(checkRegExp).optional(),
  initialState: oneOf(["up", "checking"]).optional(),
});

const settings = {
  balance: oneOf(["p2c", "round-robin", "least-requests", "random"]).optional(),
  panic: oneOf(["use-all", "fail"]).optional(),
  healthCheck: healthCheckSchema.optional(),
  retry: z
    .strictObject({
      attempts: integer(0, limits.retryAttempts).optional(),
      on: z
        .array(
          text("a condition").regex(/^(?:connect-failure|reset|timeout|429|5\d\d)$/, {
            error: 'expected "connect-failure", "reset", "timeout", "429" or a status from "500" to "599"',
          }),
        )
        .optional(),
      methods: z.array(method()).optional(),
      budget: fraction(0, 1).optional(),
      minRetriesPerSecond: integer(0, 10_000).optional(),
      bodyBuffer: size().optional(),
      perTryTimeout: duration().optional(),
    })
    .optional(),
  timeouts: z
    .strictObject({
      connect: duration(1).optional(),
      headers: duration(1).optional(),
      idle: duration().optional(),
      total: duration().optional(),
    })
    .optional(),
  queue: z.strictObject({ max: integer(0, 100_000).optional(), timeout: duration(1).optional() }).optional(),
  connections: z
    .strictObject({
      max: integer(0, 100_000).optional(),
      keepAlive: duration(1).optional(),
      http2: flag().optional(),
    })
    .optional(),
  tls: z
    .strictObject({
      ca: text("PEM or the path of a PEM file").optional(),
      cert: text("PEM or the path of a PEM file").optional(),
      key: text("PEM or the path of a PEM file").optional(),
      servername: text("a host name").optional(),
      verify: flag().optional(),
    })
    .optional(),
};

const members = {
  upstreams: z
    .array(upstreamEntry, { error: "expected an array of URLs or of upstreams" })
    .max(limits.upstreamsPerPool)
    .optional(),
};

export const poolSchema: z.ZodType = z.strictObject({ ...members, ...settings });

const headerChanges = z.strictObject({
  set: z.record(headerName(), headerValue()).optional(),
  remove: z.array(headerName()).optional(),
});

const hostPattern = () =>
  text("a host").regex(/^(?:\*\.)?[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?$|^\[?[0-9A-Fa-f:.]+\]?$/, {
    error: 'expected a host such as "example.com" or "*.example.com", without a port',
  });

const route = z.strictObject({
  host: z
    .preprocess((value) => (typeof value === "string" ? [value] : value), z.array(hostPattern()).min(1))
    .optional(),
  path: path().optional(),
  methods: z.array(method()).min(1, { error: "expected at least one method" }).optional(),
  pool: text("the name of a pool"),
  stripPrefix: flag().optional(),
  addPrefix: path().optional(),
  preserveHost: flag().optional(),
  maxBodySize: size().optional(),
  requestHeaders: headerChanges.optional(),
  responseHeaders: headerChanges.optional(),
});

const network = () =>
  text("an address or a network").superRefine((value, context) => {
    const [address = "", prefix] = value.split("/");
    const family = isIP(address);
    const longest = family === 4 ? 32 : 128;
    if (family === 0 || (prefix !== undefined && !(/^\d{1,3}$/.test(prefix) && Number(prefix) <= longest))) {
      fail(context, `expected an address or a network such as "10.0.0.0/8", found ${JSON.stringify(value)}`);
    }
  });

const shared = {
  trustedProxies: z.array(network()).optional(),
  forwarded: flag().optional(),
  maxHeaders: integer(1, 2_000).optional(),
};

const poolName = () =>
  text("a pool's name").regex(/^[A-Za-z0-9_][\w.-]{0,63}$/, {
    error: "a pool's name has 1 to 64 letters, digits or any of . _ -",
  });

export const manyPoolsSchema: z.ZodType = z.strictObject({
  ...shared,
  pools: z.record(poolName(), poolSchema, { error: "expected a table of pools" }),
  routes: z.array(route, { error: "expected an array of routes" }).optional(),
  defaults: z.strictObject(settings).optional(),
});

export const onePoolSchema: z.ZodType = z.strictObject({ ...shared, ...members, ...settings });

/** The keys that a table of the schema allows at a path, for hints. */
export function allowedKeys(schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] {
  const inner = unwrap(schema);
  if (path.length > 0) {
    const [key, ...rest] = path;
    if (inner instanceof z.ZodObject) {
      const next = inner.shape[key as string] as z.ZodType | undefined;
      return next === undefined ? [] : allowedKeys(next, rest);
    }
    if (inner instanceof z.ZodRecord) return allowedKeys(inner.valueType as z.ZodType, rest);
    if (inner instanceof z.ZodArray) return allowedKeys(inner.element as z.ZodType, rest);
    return [];
  }
  return inner instanceof z.ZodObject ? Object.keys(inner.shape) : [];
}

function unwrap(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodOptional) return unwrap(schema.unwrap() as z.ZodType);
  if (schema instanceof z.ZodPipe) return unwrap(schema.out as z.ZodType);
  return schema;
}

function fail(context: z.RefinementCtx, message: string): void {
  context.addIssue({ code: "custom", message });
}

/**
 * A pattern between slashes has to compile, and may not nest repetition: probes run it on bytes from the network,
 * and JavaScript's matcher takes exponential time on a pattern such as `(a+)+$`.
 */
function checkRegExp(value: string, context: z.RefinementCtx): void {
  const match = /^\/(.*)\/$/s.exec(value);
  if (match === null) return;
  const source = match[1] ?? "";
  try {
    new RegExp(source);
  } catch (error) {
    fail(context, `not a regular expression: ${(error as Error).message}`);
    return;
  }
  if (source.length > 200 || /[*+}]\)?[^)]*\)[*+{]|\\[1-9]/.test(source)) {
    fail(context, "a pattern may not repeat a group that repeats, refer back, or be longer than 200 characters");
  }
}
