/**
 * The header of the PROXY protocol, versions 1 and 2 (HAProxy's proxy-protocol.txt), with which a load balancer in front gives
 * the address of its client. Whatever is not exactly by the specification is malformed: a guess would let a client choose
 * its address.
 */

import { isIPv4, isIPv6 } from "node:net";
import { limits } from "../limits.ts";

/** What a header says of the connection. */
export interface ProxiedConnection {
  /** The bytes of the header. */
  readonly length: number;
  /** The client's address. Undefined if the header has none: the peer's address is the client's. */
  readonly source: string | undefined;
  /** The client uses TLS to the load balancer, as far as the header says. */
  readonly encrypted: boolean;
}

/** A header, or "incomplete" while more bytes can make it one, or "malformed". */
export type ProxyHeader = ProxiedConnection | "incomplete" | "malformed";

const signature = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
/** Section 2.1: the longest line of version 1, with its CRLF. */
const longestLine = 107;
/** PP2_TYPE_SSL and PP2_CLIENT_SSL. */
const sslType = 0x20;
const sslClient = 0x01;
const fixedBytes = 16;
const addressBytes: Readonly<Record<number, number>> = { 0: 0, 1: 12, 2: 36, 3: 216 };

/** Reads the header at the beginning of what a connection has received. */
export function readProxyHeader(bytes: Buffer): ProxyHeader {
  if (startsAs(bytes, signature)) return readBinary(bytes);
  if (startsAs(bytes, Buffer.from("PROXY "))) return readLine(bytes);
  return "malformed";
}

/** Whether one of the two is the beginning of the other. */
function startsAs(bytes: Buffer, expected: Buffer): boolean {
  const length = Math.min(bytes.length, expected.length);
  return bytes.compare(expected, 0, length, 0, length) === 0;
}

/** Version 1, section 2.1. */
function readLine(bytes: Buffer): ProxyHeader {
  const end = bytes.subarray(0, longestLine).indexOf("\r\n");
  if (end === -1) return bytes.length < longestLine ? "incomplete" : "malformed";
  const line = bytes.toString("latin1", 0, end);
  const length = end + 2;
  // A receiver ignores the rest of such a line.
  if (/^PROXY UNKNOWN(?: [\x20-\x7e]*)?$/.test(line)) return { length, source: undefined, encrypted: false };
  const [, protocol, source = "", target = "", ...ports] =
    /^PROXY (TCP4|TCP6) ([\dA-Fa-f.:]{2,39}) ([\dA-Fa-f.:]{2,39}) (\d{1,5}) (\d{1,5})$/.exec(line) ?? [];
  const isAddress = protocol === "TCP4" ? isIPv4 : isIPv6;
  const valid = protocol !== undefined && isAddress(source) && isAddress(target) && ports.every(isPort);
  return valid ? { length, source: canonical(source), encrypted: false } : "malformed";
}

/** Section 2.1: no leading zeros. */
function isPort(text: string): boolean {
  return /^(?:0|[1-9]\d*)$/.test(text) && Number(text) <= 65_535;
}

/** Version 2, section 2.2. */
function readBinary(bytes: Buffer): ProxyHeader {
  if (bytes.length < fixedBytes) return checkFixed(bytes) ? "incomplete" : "malformed";
  if (!checkFixed(bytes)) return "malformed";
  const local = bytes.readUInt8(12) === 0x20;
  const kind = bytes.readUInt8(13);
  const length = fixedBytes + bytes.readUInt16BE(14);
  if (length > limits.proxyHeaderBytes) return "malformed";
  const family = kind >> 4;
  const size = addressBytes[family] as number;
  // The addresses of LOCAL, a health check of the load balancer itself, are to be ignored.
  if (!local && length - fixedBytes < size) return "malformed";
  if (bytes.length < length) return "incomplete";
  const tlvsAt = local ? length : fixedBytes + size;
  // Whatever is behind UNSPEC is to be ignored as well.
  const encrypted = local || kind === 0 ? false : readTlvs(bytes.subarray(tlvsAt, length));
  if (encrypted === undefined) return "malformed";
  return { length, source: local ? undefined : addressIn(bytes, family), encrypted };
}

/** Checks as much of the version, the command, the family and the transport as was received. */
function checkFixed(bytes: Buffer): boolean {
  if (bytes.length > 12 && bytes[12] !== 0x20 && bytes[12] !== 0x21) return false;
  if (bytes.length <= 13) return true;
  const [family, transport] = [(bytes[13] as number) >> 4, (bytes[13] as number) & 0xf];
  // HTTP needs a stream. UNSPEC has neither a family nor a transport.
  return family === 0 ? transport === 0 : family <= 3 && transport === 1;
}

/** Reads the TLVs. Returns whether the client has used TLS (section 2.2.6), or undefined if they are malformed. */
function readTlvs(bytes: Buffer): boolean | undefined {
  let encrypted = false;
  let at = 0;
  while (at + 3 <= bytes.length) {
    const length = bytes.readUInt16BE(at + 1);
    if (bytes[at] === sslType && length > 0) encrypted = ((bytes[at + 3] ?? 0) & sslClient) !== 0;
    at += 3 + length;
  }
  return at === bytes.length ? encrypted : undefined;
}

function addressIn(bytes: Buffer, family: number): string | undefined {
  if (family === 1) return bytes.subarray(16, 20).join(".");
  if (family !== 2) return undefined;
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(16 + 2 * index).toString(16));
  return canonical(groups.join(":"));
}

/** As Node writes the addresses of peers (RFC 5952); an IPv4-mapped one as IPv4. */
function canonical(address: string): string {
  if (isIPv4(address)) return address;
  const text = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const mapped = /^::ffff:([\da-f]{1,4}):([\da-f]{1,4})$/
    .exec(text)
    ?.slice(1)
    .map((group) => Number.parseInt(group, 16));
  return mapped === undefined ? text : mapped.flatMap((group) => [group >> 8, group & 0xff]).join(".");
}
