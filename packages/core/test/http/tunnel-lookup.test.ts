import { expect, test } from "vitest";
import { requestTunnel } from "../../src/forward/upgrade/tunnel.ts";
import { Connector } from "../../src/transport/connector.ts";
import { plainAddress, transportSettings } from "../support/exchanges.ts";
import { resolverOver, scriptedNames } from "../support/names.ts";

test("a tunnel whose upstream's name is not resolved in time fails as a lookup, not as a connection", () => {
  const connector = new Connector({}, resolverOver(scriptedNames({ "slow.test": "silence" })));
  const handler = { onConnected() {}, onSwitch() {}, onRefusal() {}, onMismatch() {}, onError() {} };
  const attempts = ["slow.test", "127.0.0.1"].map((hostname) =>
    requestTunnel(
      {
        address: { ...plainAddress(1), hostname },
        tls: transportSettings().tls,
        responseHead: transportSettings().connections.responseHead,
        connector,
        path: "/",
        headers: ["Host", "a"],
        key: "dGhlIHNhbXBsZSBub25jZQ==",
      },
      handler,
    ),
  );
  expect(attempts.map((attempt) => attempt.connectTimeout().code)).toEqual(["dns_failed", "connect_timeout"]);
  for (const attempt of attempts) attempt.abort();
});
