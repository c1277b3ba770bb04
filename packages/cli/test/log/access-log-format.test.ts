import type { AttemptRecord, RequestEvent } from "evenkeel";
import { expect, test } from "vitest";
import { cpuMs } from "../../../core/test/support/cpu-time.ts";
import { seededRandom } from "../../../core/test/support/seeded-random.ts";
import { toCombinedLine, toJsonLine } from "../../src/log/access-log-format.ts";
import { toSafeField, toSafeJson, toSafeText, withoutUserInfo } from "../../src/log/escape.ts";
import { retriedRequest as event } from "../support/request-events.ts";

test("a JSON line of a gRPC call has its status, and that of each attempt", () => {
  const attempts = [{ upstream: "b", status: 200, grpcStatus: 0, headersMs: 1 }];
  expect(JSON.parse(toJsonLine({ ...event, grpcStatus: 0, attempts }))).toMatchObject({ grpcStatus: 0, attempts });
});

test("a JSON line has every known field, in the order of the documentation", () => {
  expect(toJsonLine(event)).toBe(
    '{"time":"2024-02-29T23:59:59.007Z","requestId":"r1","client":"192.0.2.1","method":"GET","host":"example.com",' +
      '"url":"/a?b=c","protocol":"HTTP/1.1","status":200,"bytesIn":0,"bytesOut":12,"durationMs":1.235,"route":"/*",' +
      '"pool":"api","upstream":"b","attempts":[{"upstream":"a","error":"connect_refused"},' +
      '{"upstream":"b","status":200,"connectMs":0.5,"headersMs":1}],"flags":["retried"],"userAgent":"curl/8"}\n',
  );
});

test("an attempt has a status or an error, never both", () => {
  const line = toJsonLine({ ...event, attempts: [{ upstream: "a", status: 200, error: "response_truncated" }] });
  expect(JSON.parse(line)).toMatchObject({ attempts: [{ upstream: "a", error: "response_truncated" }] });
  expect(line).not.toContain('"status":200,"error"');
});

test("an attempt that failed to connect has its cause", () => {
  const cause = "certificate has expired (CERT_HAS_EXPIRED)";
  const line = toJsonLine({ ...event, attempts: [{ upstream: "a", error: "tls_failed", cause }] });
  expect(line).toContain(`"attempts":[{"upstream":"a","error":"tls_failed","cause":"${cause}"}]`);
});

test("the cause of an error is one line of bounded length, with its nested causes", () => {
  const failed = { ...event, error: "policy_failed" as const };
  const cause = new Error("the policy threw", { cause: new RangeError("out of\nrange", { cause: "x" }) });
  const line = toJsonLine({ ...failed, cause });
  expect(JSON.parse(line)).toMatchObject({ error: "policy_failed", cause: "the policy threw: out of\nrange: x" });
  expect(line.trimEnd()).not.toContain("\n");
  const own = new Error("own") as Error & { cause: unknown };
  own.cause = own;
  expect(JSON.parse(toJsonLine({ ...failed, cause: own }))).toMatchObject({ cause: "own: own: own: own" });
  const long = JSON.parse(toJsonLine({ ...failed, cause: "x".repeat(5_000) })) as { cause: string };
  expect(long.cause).toHaveLength(500);
});

/** The line as `JSON.stringify` writes it, with the characters escaped that it leaves. */
function stringified(event: RequestEvent): string {
  const round = (ms: number) => Math.round(ms * 1_000) / 1_000;
  const { url, referer, cause, attempts, flags, traceparent, userAgent } = event;
  const line = JSON.stringify({
    time: new Date(event.time).toISOString(),
    requestId: event.requestId,
    client: event.client,
    method: event.method,
    host: event.host,
    url: withoutUserInfo(url),
    protocol: event.protocol,
    status: event.status,
    grpcStatus: event.grpcStatus,
    bytesIn: event.bytesIn,
    bytesOut: event.bytesOut,
    durationMs: round(event.durationMs),
    route: event.route,
    pool: event.pool,
    upstream: event.upstream,
    attempts: attempts.map(({ upstream, status, grpcStatus, error, cause, connectMs, headersMs }) => ({
      upstream,
      ...(error === undefined ? { status, grpcStatus } : { error, cause }),
      ...(connectMs !== undefined && { connectMs: round(connectMs) }),
      ...(headersMs !== undefined && { headersMs: round(headersMs) }),
    })),
    error: event.error,
    cause,
    flags,
    traceparent,
    userAgent,
    referer: referer === undefined ? undefined : withoutUserInfo(referer),
  });
  const escape = (char: string) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return `${line.replace(/[\u007f-\u009f\u2028\u2029]/g, escape)}\n`;
}

test("a JSON line has the bytes of JSON.stringify, for any event", () => {
  const random = seededRandom(20_261_130);
  const below = (count: number) => Math.floor(random() * count);
  const oneOf = <T>(values: readonly T[]) => values[below(values.length)] as T;
  const ranges = [0x20, 0x7f, 0xa0, 0x100, 0x2030, 0xd7ff, 0xe000, 0x10000];
  const character = () => String.fromCharCode(below(oneOf(ranges)));
  const pieces = [
    ...hostile,
    "\ud800",
    "\udfff",
    "\u{1f600}",
    "://u:p@",
    "//a@",
    "\u2027",
    "\u202a",
    "\ufeff",
    "\uffff",
    "/~",
  ];
  const text = () =>
    Array.from({ length: below(8) }, () => oneOf([() => oneOf(pieces), character, () => "abc"])()).join("");
  const maybe = <T>(make: () => T) => (random() < 0.5 ? undefined : make());
  const ms = () =>
    oneOf([0, random(), random() * 10, random() * 1e5, random() * 1e10, below(1e6) / 1_000, 1e-9, 0.9995]);
  const count = () => oneOf([0, below(1_000), below(2 ** 53)]);
  const code = () => oneOf(["reset", "connect_refused"] as const);
  const attempt = (): AttemptRecord => ({
    upstream: text(),
    ...(random() < 0.5 ? { status: 100 + below(500) } : {}),
    ...(random() < 0.3 ? { grpcStatus: below(17) } : {}),
    ...(random() < 0.3 ? { error: code() } : {}),
    ...(random() < 0.3 ? { cause: text() } : {}),
    ...(random() < 0.5 ? { connectMs: ms() } : {}),
    ...(random() < 0.5 ? { headersMs: ms() } : {}),
  });
  const times = [
    0,
    999,
    1_000,
    event.time,
    event.time - 1,
    -1,
    253_402_300_799_999,
    253_402_300_800_000,
    event.time + 0.9,
  ];
  for (let run = 0; run < 20_000; run++) {
    const made: RequestEvent = {
      time: random() < 0.5 ? oneOf(times) : Date.UTC(2026, 0) + below(5_000),
      requestId: text(),
      client: text(),
      method: text(),
      host: text(),
      url: text(),
      protocol: text(),
      status: below(600),
      ...(random() < 0.3 ? { grpcStatus: below(17) } : {}),
      bytesIn: count(),
      bytesOut: count(),
      durationMs: ms(),
      route: maybe(text),
      pool: maybe(text),
      upstream: maybe(text),
      attempts: Array.from({ length: below(4) }, attempt),
      error: maybe(code),
      cause: maybe(text),
      flags: Array.from({ length: below(3) }, () => oneOf(["retried", "queued", "panic"] as const)),
      traceparent: maybe(text),
      userAgent: maybe(text),
      referer: maybe(text),
    };
    const line = toJsonLine(made);
    if (line !== stringified(made)) expect(line).toBe(stringified(made));
  }
});

test("every character is written as by JSON.stringify", () => {
  for (let unit = 0; unit < 0x10000; unit++) {
    const made = { ...event, userAgent: `a${String.fromCharCode(unit)}b` };
    if (toJsonLine(made) !== stringified(made)) expect(toJsonLine(made)).toBe(stringified(made));
  }
});

test("times of the same second and of others are exact, in any order", () => {
  const { time } = event;
  for (const each of [time, time + 992, time + 993, time, time - 8, time + 86_400_000, time + 0.5]) {
    const line = toJsonLine({ ...event, time: each });
    expect(line.startsWith(`{"time":"${new Date(each).toISOString()}"`)).toBe(true);
    const clock = new Date(each).toISOString().slice(11, 19);
    expect(toCombinedLine({ ...event, time: each })).toContain(`:${clock} +0000] "`);
  }
});

test("a combined line has the NCSA format", () => {
  expect(toCombinedLine(event)).toBe(
    '192.0.2.1 - - [29/Feb/2024:23:59:59 +0000] "GET /a?b=c HTTP/1.1" 200 12 "-" "curl/8"\n',
  );
});

test("an unknown field is a dash, and a malformed request is empty", () => {
  const unknown = { ...event, client: "", method: "", url: "", protocol: "", userAgent: undefined, status: 400 };
  expect(toCombinedLine(unknown)).toBe('- - - [29/Feb/2024:23:59:59 +0000] "" 400 12 "-" "-"\n');
});

const hostile = 'a"b\\c\r\nd\u001b[31me\u0000f\u007fg\u0085h\u009bi\u2028j\u2029k\u00e9';

test("no text of a client breaks a line or controls a terminal", () => {
  const everywhere = { ...event, url: hostile, host: hostile, userAgent: hostile, referer: hostile, method: hostile };
  for (const toLine of [toJsonLine, toCombinedLine]) {
    const line = toLine(everywhere);
    expect(line.slice(0, -1)).not.toMatch(/[\p{Cc}\u2028\u2029]/u);
    expect(line.endsWith("\n")).toBe(true);
  }
  expect(JSON.parse(toJsonLine(everywhere))).toMatchObject({ url: hostile, userAgent: hostile, referer: hostile });
  // Quotes of the format itself: request, referer and agent.
  expect(toCombinedLine(everywhere).match(/"/g)).toHaveLength(6);
});

test("escape sequences are those of JSON and of nginx", () => {
  expect(toSafeJson("\u2028\u007f\u009b")).toBe('"\\u2028\\u007f\\u009b"');
  expect(toSafeField('"\\\r\u001b\u00e9')).toBe("\\x22\\x5C\\x0D\\x1B\\xE9");
  expect(toSafeField("\u20ac\u{1f600}")).toBe("\\xE2\\x82\\xAC\\xF0\\x9F\\x98\\x80");
  expect(toSafeText("a\u001b[2Jb\n")).toBe("a\\x1b[2Jb\\x0a");
});

test.each([
  ["http://user:secret@example.com/x?y", "http://***@example.com/x?y"],
  ["http://a@b@example.com/", "http://***@example.com/"],
  ["//user:secret@example.com/", "//***@example.com/"],
  ["user:secret@example.com:443", "***@example.com:443"],
  ["/login?next=https://user:secret@example.com/", "/login?next=https://***@example.com/"],
  ["/@scope/package", "/@scope/package"],
  ["/mail/a@example.com", "/mail/a@example.com"],
  ["/", "/"],
])("%s is logged as %s", (url, kept) => {
  expect(withoutUserInfo(url)).toBe(kept);
  expect(JSON.parse(toJsonLine({ ...event, url, referer: url }))).toMatchObject({ url: kept, referer: kept });
  expect(toCombinedLine({ ...event, url })).toContain(`"GET ${kept} HTTP/1.1"`);
});

test("user info is found in linear time in a long URL", () => {
  for (const part of ["a", "://", "://@", "a@", "//"]) {
    const url = part.repeat(16_384 / part.length);
    expect(cpuMs(() => void withoutUserInfo(`${url}@`))).toBeLessThan(100);
  }
});
