import { describe, expect, test } from "vitest";
import { clientAddress, peerAddress, TrustedProxies } from "../../src/request/client-address.ts";
import { cpuMs } from "../support/cpu-time.ts";

describe("a trusted peer", () => {
  const trusted = new TrustedProxies(["10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "::1"]);

  test.each(["10.0.0.1", "10.255.255.255", "192.0.2.7", "2001:db8:1::9", "::1", "0:0:0:0:0:0:0:1"])(
    "%s is one",
    (address) => {
      expect(trusted.includes(address)).toBe(true);
    },
  );

  test.each(["11.0.0.1", "192.0.2.8", "2001:db9::1", "::2", "", "unknown", "10.0.0.1, 10.0.0.2", "10.0.0.1:80"])(
    "%j is none",
    (address) => {
      expect(trusted.includes(address)).toBe(false);
    },
  );

  test("nobody is by default", () => {
    expect(new TrustedProxies([]).includes("127.0.0.1")).toBe(false);
  });
});

test.each([
  ["203.0.113.9", "203.0.113.9"],
  ["::ffff:203.0.113.9", "203.0.113.9"],
  ["2001:db8::1", "2001:db8::1"],
  [undefined, ""],
])("the peer %s is %s", (remote, peer) => {
  expect(peerAddress(remote)).toBe(peer);
});

describe("the client", () => {
  const trusted = new TrustedProxies(["10.0.0.0/8", "2001:db8::/32"]);

  test.each<[string, string | undefined, string]>([
    // From a peer that is not trusted nothing is believed.
    ["203.0.113.9", undefined, "203.0.113.9"],
    ["203.0.113.9", "1.2.3.4", "203.0.113.9"],
    // From a trusted one it is the right-most address that is not trusted.
    ["10.0.0.1", undefined, "10.0.0.1"],
    ["10.0.0.1", "1.2.3.4", "1.2.3.4"],
    ["10.0.0.1", "6.6.6.6, 1.2.3.4", "1.2.3.4"],
    ["10.0.0.1", "6.6.6.6, 1.2.3.4, 10.0.0.9", "1.2.3.4"],
    ["10.0.0.1", "6.6.6.6,1.2.3.4 ,\t10.0.0.9,10.0.0.8", "1.2.3.4"],
    ["10.0.0.1", "2001:db8::7, 2001:db9::1", "2001:db9::1"],
    ["2001:db8::1", "1.2.3.4, 2001:db8::7", "1.2.3.4"],
    // A chain of nobody but proxies: the first of them.
    ["10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"],
    // What is no address ends what can be known.
    ["10.0.0.1", "unknown", "10.0.0.1"],
    ["10.0.0.1", "", "10.0.0.1"],
    ["10.0.0.1", "1.2.3.4, unknown, 10.0.0.2", "10.0.0.2"],
    ["10.0.0.1", "1.2.3.4, <script>", "10.0.0.1"],
    // Some proxies write ports and brackets.
    ["10.0.0.1", "1.2.3.4:5678", "1.2.3.4"],
    ["10.0.0.1", "6.6.6.6:1, 1.2.3.4:5678, 10.0.0.9:65535", "1.2.3.4"],
    ["10.0.0.1", "[2001:db9::1]:443", "2001:db9::1"],
    ["10.0.0.1", '1.2.3.4, "[2001:db9::1]"', "2001:db9::1"],
    ["10.0.0.1", "1.2.3.4, [2001:db8::7]:80", "1.2.3.4"],
    ["10.0.0.1", "1.2.3.4, ::ffff:10.0.0.9", "1.2.3.4"],
    // What only looks like one of them is no address.
    ["10.0.0.1", "1.2.3.4:", "10.0.0.1"],
    ["10.0.0.1", "1.2.3.4:123456", "10.0.0.1"],
    ["10.0.0.1", "1.2.3.4:80:80", "10.0.0.1"],
    ["10.0.0.1", "[1.2.3.4]x", "10.0.0.1"],
    ["10.0.0.1", "[2001:db9::1", "10.0.0.1"],
    ["10.0.0.1", "2001:db9::1]:80", "10.0.0.1"],
    ["10.0.0.1", "[]:80", "10.0.0.1"],
    ["10.0.0.1", '"1.2.3.4', "10.0.0.1"],
  ])("behind %s with %j is %s", (peer, chain, client) => {
    expect(clientAddress(peer, chain, trusted)).toBe(client);
  });

  test("of a long chain is found in no time", () => {
    const chain = Array.from({ length: 2_000 }, (_, index) => `10.0.${index >> 8}.${index & 255}`).join(",");
    const ms = cpuMs(() => expect(clientAddress("10.0.0.1", chain, trusted)).toBe("10.0.0.0"));
    expect(ms).toBeLessThan(500);
  });
});
