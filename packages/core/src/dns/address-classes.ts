/** Classes of addresses: loopback, link-local and metadata, and those that no server can have. */

import { BlockList, isIP } from "node:net";

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** Unspecified, multicast, broadcast and reserved ones. */
const unusable = new BlockList();
unusable.addSubnet("0.0.0.0", 8, "ipv4");
unusable.addSubnet("224.0.0.0", 3, "ipv4");
unusable.addAddress("::", "ipv6");
unusable.addSubnet("ff00::", 8, "ipv6");

/**
 * Networks with services that hand out the credentials of a cloud's machines: link-local ones (RFC 3927, RFC 4291 section 2.5.6),
 * and the metadata services with other addresses.
 */
const guarded = new BlockList();
guarded.addSubnet("169.254.0.0", 16, "ipv4");
guarded.addSubnet("fe80::", 10, "ipv6");
// AWS and Google over IPv6, Azure WireServer, Alibaba, Oracle's first generation.
guarded.addAddress("fd00:ec2::254", "ipv6");
guarded.addAddress("fd20:ce::254", "ipv6");
guarded.addAddress("168.63.129.16", "ipv4");
guarded.addAddress("100.100.100.200", "ipv4");
guarded.addAddress("192.0.0.192", "ipv4");

/** Names that resolve to such an address inside a cloud. */
const metadataNames: ReadonlySet<string> = new Set([
  "metadata.google.internal",
  "metadata.goog",
  "metadata.azure.internal",
  "metadata.tencentyun.com",
  "instance-data.ec2.internal",
]);

/** Whether text is an address in 127.0.0.0/8 or is ::1, also in IPv4-mapped form. */
export function isLoopbackAddress(text: string): boolean {
  return contains(loopback, text);
}

/** Whether a server can have an address. */
export function isServerAddress(address: string): boolean {
  return !contains(unusable, address);
}

/**
 * Whether a host is link-local or a cloud's metadata service, which DNS and the admin API must not make an upstream. Takes an
 * IPv4 or IPv6 address (IPv4-mapped and NAT64 forms included, brackets and zone allowed), or a name.
 */
export function isLinkLocalOrMetadata(host: string): boolean {
  const address = host.replace(/^\[(.*)\]$/, "$1").replace(/%.*$/, "");
  const family = isIP(address);
  if (family === 0) return metadataNames.has(address.toLowerCase().replace(/\.$/, ""));
  const embedded = family === 6 ? embeddedIPv4(address) : undefined;
  return contains(guarded, address) || (embedded !== undefined && contains(guarded, embedded));
}

/** False for text that is not an address. */
function contains(list: BlockList, text: string): boolean {
  const family = isIP(text);
  return family !== 0 && list.check(text, family === 4 ? "ipv4" : "ipv6");
}

/** Returns the IPv4 address within an IPv6 one: mapped (::ffff:0:0/96), compatible (::/96), translated (64:ff9b::/96, RFC 6052). */
function embeddedIPv4(address: string): string | undefined {
  const groups = toGroups(address);
  const [prefix, rest] = [groups.slice(0, 6).join(":"), groups.slice(6)];
  if (!/^0:0:0:0:0:(?:0|ffff)$|^64:ff9b:0:0:0:0$/.test(prefix)) return undefined;
  const bytes = rest.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255]);
  return bytes.join(".");
}

/** Returns the eight groups of an IPv6 address, in hexadecimal without leading zeros. */
function toGroups(address: string): readonly string[] {
  // The URL parser writes the last two groups in hexadecimal, even if they are given in dotted form.
  const canonical = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const [head = "", tail] = canonical.split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  return [...before, ...Array<string>(8 - before.length - after.length).fill("0"), ...after];
}
