import { describe, expect, test } from "vitest";
import { readProxyHeader } from "../../../src/server/opening/proxy-protocol.ts";

const signature = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");

/** A header of version 2. */
function binary(command: number, kind: number, payload: Buffer, length = payload.length): Buffer {
  const fixed = Buffer.from([command, kind, length >> 8, length & 0xff]);
  return Buffer.concat([signature, fixed, payload]);
}

const ipv4 = Buffer.from([192, 0, 2, 7, 10, 0, 0, 1, 0x12, 0x34, 0, 80]);
const ipv6 = Buffer.concat([Buffer.from("20010db8000000000000000000000001", "hex"), Buffer.alloc(16), Buffer.alloc(4)]);
const mapped = Buffer.concat([
  Buffer.from("00000000000000000000ffffc0000207", "hex"),
  Buffer.alloc(16),
  Buffer.alloc(4),
]);
const tlv = (type: number, ...value: number[]) => Buffer.from([type, value.length >> 8, value.length & 0xff, ...value]);

describe("version 1", () => {
  test.each([
    ["PROXY TCP4 192.0.2.7 10.0.0.1 4711 443\r\n", "192.0.2.7"],
    ["PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255"],
    ["PROXY TCP6 2001:DB8::1 ::1 4711 0\r\n", "2001:db8::1"],
    ["PROXY TCP6 ::ffff:192.0.2.7 ::1 4711 443\r\n", "192.0.2.7"],
    ["PROXY UNKNOWN\r\n", undefined],
    ["PROXY UNKNOWN ffff::1 ffff::1 65535 65535\r\n", undefined],
  ])("%j", (line, source) => {
    const bytes = Buffer.from(`${line}GET / HTTP/1.1\r\n`);
    expect(readProxyHeader(bytes)).toEqual({ length: line.length, source, encrypted: false });
    for (let length = 0; length < line.length; length++) {
      expect(readProxyHeader(bytes.subarray(0, length))).toBe("incomplete");
    }
  });

  test.each([
    "GET / HTTP/1.1\r\n",
    "proxy TCP4 192.0.2.7 10.0.0.1 1 2\r\n",
    "PROXY TCP4 192.0.2.7 10.0.0.1 1 2\n",
    "PROXY  TCP4 192.0.2.7 10.0.0.1 1 2\r\n",
    "PROXY TCP4 192.0.2.7 10.0.0.1 1\r\n",
    "PROXY TCP4 192.0.2.7 10.0.0.1 1 2 \r\n",
    "PROXY TCP4 192.0.2.7 10.0.0.1 01 2\r\n",
    "PROXY TCP4 192.0.2.7 10.0.0.1 1 65536\r\n",
    "PROXY TCP4 192.0.2.007 10.0.0.1 1 2\r\n",
    "PROXY TCP4 192.0.2 10.0.0.1 1 2\r\n",
    "PROXY TCP4 ::1 ::1 1 2\r\n",
    "PROXY TCP6 192.0.2.7 10.0.0.1 1 2\r\n",
    "PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
    "PROXY TCP4 192.0.2.7\0 10.0.0.1 1 2\r\n",
    "PROXY UDP4 192.0.2.7 10.0.0.1 1 2\r\n",
    "PROXY UNKNOWNX\r\n",
    "PROXY\r\n",
    `PROXY UNKNOWN ${"x".repeat(100)}\r\n`,
  ])("%j is malformed", (line) => {
    expect(readProxyHeader(Buffer.from(line.padEnd(107)))).toBe("malformed");
  });

  test("a line without an end is malformed as soon as it is too long", () => {
    expect(readProxyHeader(Buffer.from(`PROXY UNKNOWN ${"x".repeat(92)}`))).toBe("incomplete");
    expect(readProxyHeader(Buffer.from(`PROXY UNKNOWN ${"x".repeat(93)}`))).toBe("malformed");
  });
});

describe("version 2", () => {
  test.each<[string, Buffer, string | undefined, boolean]>([
    ["TCP over IPv4", binary(0x21, 0x11, ipv4), "192.0.2.7", false],
    ["TCP over IPv6", binary(0x21, 0x21, ipv6), "2001:db8::1", false],
    ["an IPv4-mapped address", binary(0x21, 0x21, mapped), "192.0.2.7", false],
    ["a Unix socket", binary(0x21, 0x31, Buffer.alloc(216)), undefined, false],
    ["UNSPEC", binary(0x21, 0x00, Buffer.from("anything")), undefined, false],
    ["LOCAL", binary(0x20, 0x00, Buffer.alloc(0)), undefined, false],
    ["LOCAL with addresses", binary(0x20, 0x11, ipv4), undefined, false],
    ["TLVs", binary(0x21, 0x11, Buffer.concat([ipv4, tlv(0x01, 104, 50), tlv(0x04)])), "192.0.2.7", false],
    ["a client with TLS", binary(0x21, 0x11, Buffer.concat([ipv4, tlv(0x20, 1, 0, 0, 0, 0)])), "192.0.2.7", true],
    ["a client without TLS", binary(0x21, 0x11, Buffer.concat([ipv4, tlv(0x20, 0, 0, 0, 0, 0)])), "192.0.2.7", false],
  ])("%s", (_what, header, source, encrypted) => {
    const bytes = Buffer.concat([header, Buffer.from("GET /")]);
    expect(readProxyHeader(bytes)).toEqual({ length: header.length, source, encrypted });
    for (let length = 0; length < header.length; length++) {
      expect(readProxyHeader(bytes.subarray(0, length))).toBe("incomplete");
    }
  });

  test.each<[string, Buffer]>([
    ["version 1 in binary", binary(0x11, 0x11, ipv4)],
    ["an unknown command", binary(0x22, 0x11, ipv4)],
    ["an unknown family", binary(0x21, 0x41, ipv4)],
    ["a datagram", binary(0x21, 0x12, ipv4)],
    ["UNSPEC with a transport", binary(0x21, 0x01, ipv4)],
    ["too short for its addresses", binary(0x21, 0x11, ipv4.subarray(1))],
    ["a TLV that is cut off", binary(0x21, 0x11, Buffer.concat([ipv4, Buffer.from([1, 0, 9, 0])]))],
    ["a rest that is no TLV", binary(0x21, 0x11, Buffer.concat([ipv4, Buffer.from([1, 0])]))],
    ["too long", binary(0x21, 0x11, ipv4, 4_081)],
    ["another signature", Buffer.concat([Buffer.from("\r\n\r\n\0\r\nQUIT\r"), Buffer.from([0x21, 0x11, 0, 12]), ipv4])],
  ])("%s is malformed", (_what, bytes) => {
    expect(readProxyHeader(bytes)).toBe("malformed");
  });
});

test("random changes of a header are read without an exception", () => {
  const header = binary(0x21, 0x21, Buffer.concat([ipv6, tlv(0x20, 1, 0, 0, 0, 0)]));
  let state = 1;
  const random = (below: number) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
  for (let round = 0; round < 20_000; round++) {
    const bytes = Buffer.from(header);
    for (let changes = random(4); changes >= 0; changes--) bytes[random(bytes.length)] = random(256);
    const found = readProxyHeader(bytes.subarray(0, random(bytes.length + 1)));
    if (typeof found === "object") expect(found.length).toBeLessThanOrEqual(bytes.length);
  }
});
