import type { ProxyOptions } from "../../../src/config/options.ts";
import { both, forwarded, holds, oneOf, rejected, rejectedUnread } from "../../support/expectations.ts";
import { onePool, type RawCase } from "../../support/raw-case.ts";

function get(lines: readonly string[]): string {
  return `${["GET /case HTTP/1.1", "Host: h", ...lines].join("\r\n")}\r\n\r\n`;
}

const fields = (count: number) => Array.from({ length: count }, (_, index) => `X-${index}: ${index}`);
const quick = ["one packet", "line by line"] as const;

/** A head of exactly so many bytes. */
function headOf(bytes: number): string {
  return get([`X: ${"a".repeat(bytes - get(["X: "]).length)}`]);
}

const numbers: readonly RawCase[] = [
  ...[0, 100, 199].map((count) => ({
    id: `C10 ${count + 1} fields pass whole`,
    bytes: get(fields(count)),
    expect: both(
      forwarded({}),
      holds("nothing is dropped", ({ requests }) =>
        fields(count).every((field) => requests[0]?.head.includes(`\r\n${field}\r\n`)),
      ),
    ),
    packets: quick,
  })),
  ...[200, 999, 1_999, 2_000, 2_001, 2_100].map((count) => ({
    id: `C10 ${count + 1} fields`,
    bytes: get(Array.from({ length: count }, () => "X: 1")),
    expect: rejectedUnread(431),
    packets: quick,
  })),
  {
    id: "C10 a Transfer-Encoding behind the fields that a server counts",
    bytes: `${get([...Array.from({ length: 2_000 }, () => "X:"), "Transfer-Encoding: chunked"])}0\r\n\r\n`,
    expect: rejectedUnread(431),
    packets: quick,
  },
  {
    id: "C10 a limit of one's own",
    bytes: get(fields(10)),
    options: (url: string): ProxyOptions => ({ ...onePool(url), maxHeaders: 10 }),
    expect: rejected(431),
  },
  {
    id: "C10 repeated names count each",
    bytes: get(Array.from({ length: 200 }, () => "Cookie: a=1")),
    expect: rejected(431),
    packets: quick,
  },
];

const sizes: readonly RawCase[] = [
  {
    id: "C12 a head just under the limit, and the proxy's own headers",
    bytes: headOf(16_200),
    expect: oneOf(forwarded({}), rejected(431)),
    packets: quick,
  },
  ...[16_500, 17_000, 65_536, 1_000_000].map((bytes) => ({
    id: `C11 a head of ${bytes} bytes`,
    bytes: headOf(bytes),
    expect: rejectedUnread(431),
    packets: quick,
  })),
  {
    id: "C11 a name of 20 kB",
    bytes: get([`${"X".repeat(20_000)}: 1`]),
    expect: rejectedUnread(431),
    packets: quick,
  },
  {
    // Node's parser does not count it towards the head, and throws it away: it goes no further.
    id: "C11 white space of 20 kB",
    bytes: get([`X: ${" ".repeat(20_000)}1`]),
    expect: oneOf(rejectedUnread(431, 400), forwarded({ fields: { x: ["1"] } })),
    packets: quick,
  },
  {
    id: "C11 a head without an end",
    bytes: `GET /case HTTP/1.1\r\nHost: h\r\n${"X: 1\r\n".repeat(10_000)}`,
    expect: rejectedUnread(431),
    packets: quick,
  },
  {
    id: "a Connection of 5,000 names",
    bytes: get([`Connection: ${"a,".repeat(5_000)}b`, "b: 1"]),
    expect: oneOf(forwarded({ fields: { b: [] } }), rejected(431)),
    packets: quick,
  },
  {
    id: "an X-Forwarded-For of 10 kB",
    bytes: get([`X-Forwarded-For: ${"1.1.1.1, ".repeat(1_000)}1.1.1.1`]),
    options: (url: string): ProxyOptions => ({ ...onePool(url), trustedProxies: ["127.0.0.1", "1.1.1.1"] }),
    expect: oneOf(forwarded({}), rejected(431)),
    packets: quick,
  },
];

export const headerLimits: readonly RawCase[] = [...numbers, ...sizes];
