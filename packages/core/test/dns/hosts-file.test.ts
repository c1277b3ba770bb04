import { describe, expect, test } from "vitest";
import { localAddresses, parseHosts } from "../../src/dns/hosts-file.ts";

const text = `
127.0.0.1 localhost
::1       localhost ip6-localhost # loopback
10.0.0.7\tAPI.internal  api   api.
10.0.0.8  api.internal
10.0.0.7  api.internal
0:0:0:0:0:0:0:2 six
fe80::1%eth0 link
# 10.0.0.9 commented.out
300.1.1.1 no.address
nonsense
10.0.0.1 __proto__ constructor\r
`;

const hosts = parseHosts(text);
const of = (name: string) => localAddresses(hosts, name)?.map(({ address }) => address);

test.each([
  ["localhost", ["127.0.0.1", "::1"]],
  ["api.internal", ["10.0.0.7", "10.0.0.8"]],
  ["API.Internal.", ["10.0.0.7", "10.0.0.8"]],
  ["api", ["10.0.0.7"]],
  ["ip6-localhost", ["::1"]],
  ["six", ["::2"]],
  ["link", ["fe80::1%eth0"]],
  ["__proto__", ["10.0.0.1"]],
  ["constructor", ["10.0.0.1"]],
  ["commented.out", undefined],
  ["no.address", undefined],
  ["toString", undefined],
])("a hosts file has for %s the addresses %j", (name, addresses) => {
  expect(of(name)).toEqual(addresses);
});

describe("localhost", () => {
  test.each(["localhost", "LOCALHOST.", "app.localhost"])("%s is loopback without a line of its own", (name) => {
    expect(localAddresses(parseHosts(""), name)).toEqual([
      { address: "::1", family: 6 },
      { address: "127.0.0.1", family: 4 },
    ]);
  });

  test.each(["localhost.example.com", "mylocalhost", "localdomain"])("%s is another name", (name) => {
    expect(localAddresses(parseHosts(""), name)).toBeUndefined();
  });
});
