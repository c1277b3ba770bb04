import { describe, expect, test } from "vitest";
import { isLinkLocalOrMetadata } from "../../src/dns/link-local.ts";

describe("a link-local address or a metadata service", () => {
  test.each([
    "169.254.169.254",
    "169.254.0.1",
    "fe80::1",
    "FE80::1",
    "febf::1",
    "fe80::1%eth0",
    "[fe80::1]",
    "fd00:ec2::254",
    "FD00:0EC2:0:0:0:0:0:254",
    "[fd00:ec2::254]",
    "fd20:ce::254",
    "168.63.129.16",
    "100.100.100.200",
    "192.0.0.192",
    "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe",
    "0:0:0:0:0:ffff:a9fe:a9fe",
    "[::ffff:169.254.169.254]",
    "::169.254.169.254",
    "64:ff9b::169.254.169.254",
    "::ffff:168.63.129.16",
    "metadata.google.internal",
    "Metadata.Google.Internal.",
    "instance-data.ec2.internal",
  ])("is %s", (host) => {
    expect(isLinkLocalOrMetadata(host)).toBe(true);
  });

  test.each([
    "10.0.0.1",
    "127.0.0.1",
    "169.253.255.255",
    "169.255.0.0",
    "::1",
    "fec0::1",
    "fd00:ec2::253",
    "fd00:ec2:1::254",
    "::ffff:10.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::a9fe:a9fe",
    "2001:db8::a9fe:a9fe",
    "localhost",
    "metadata",
    "metadata.google.internal.example.com",
    "169.254.169.254.example.com",
    "",
    "[",
  ])("is not %s", (host) => {
    expect(isLinkLocalOrMetadata(host)).toBe(false);
  });
});
