import { describe, expect, test } from "vitest";
import { isLinkLocalOrMetadata, isLoopbackAddress, isServerAddress } from "../../src/dns/address-classes.ts";

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

test("a loopback address is in 127.0.0.0/8 or is ::1, however it is written", () => {
  const loopback = ["127.0.0.1", "127.255.255.255", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1"];
  expect(loopback.filter((address) => !isLoopbackAddress(address))).toEqual([]);
  const others = ["128.0.0.1", "::2", "::ffff:10.0.0.1", "localhost", ""];
  expect(others.filter(isLoopbackAddress)).toEqual([]);
});

test("no server has an unspecified, multicast, broadcast or reserved address", () => {
  const unusable = [
    "0.0.0.0",
    "0.1.2.3",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "ff02::1",
    "::ffff:224.0.0.1",
  ];
  expect(unusable.filter(isServerAddress)).toEqual([]);
  const usable = ["1.2.3.4", "10.0.0.1", "127.0.0.1", "223.255.255.255", "::1", "2001:db8::1", "fd00::1"];
  expect(usable.filter((address) => !isServerAddress(address))).toEqual([]);
});
