import { describe, expect, test } from "vitest";
import type { PickContext, Policy } from "../../src/policy.ts";
import { rawClient } from "../support/client.ts";
import { startProxy } from "../support/start-proxy.ts";
import { handshake, startEcho } from "../support/web-sockets.ts";

/** A policy that notes the keys it is given. */
class KeyKeeper implements Policy {
  readonly name = "key-keeper";
  readonly keys: (string | undefined)[] = [];

  pick({ candidates, key }: PickContext) {
    this.keys.push(key);
    return candidates[0] as (typeof candidates)[number];
  }
}

describe("the key is", () => {
  test("there for upgrades, too", async () => {
    const { url } = await startEcho();
    const balance = new KeyKeeper();
    const { port } = await startProxy({ upstreams: [url], balance, hashOn: "query:room" });
    await (await rawClient(port, handshake("/?room=7"))).until(/101 Switching/);
    expect(balance.keys).toEqual(["7"]);
  });
});
