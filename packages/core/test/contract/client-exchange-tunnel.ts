import { describe, expect, test } from "vitest";
import { turns, until } from "../support/event-loop.ts";
import { type ClientExchangeHarness, fieldsOf, startScene } from "./client-exchange-harness.ts";

/** An upgrade that is accepted, and a request that is none. */
export function tunnelContract(harness: ClientExchangeHarness): void {
  describe("takeOver", () => {
    if (!harness.traits.isUpgrade) {
      test("is undefined where there is no upgrade, and leaves the exchange as it was", async () => {
        const { exchange, client, handler } = await startScene(harness);
        expect(exchange.takeOver(["X-One", "1"])).toBeUndefined();
        exchange.begin(200, "OK", ["Content-Length", "2"], false);
        exchange.end("ok", []);
        await until(() => client.received.complete && handler.closed !== undefined);
        expect([client.received.status, handler.closed]).toEqual([200, true]);
      });
      return;
    }

    const { upgradeStatus } = harness.traits;
    const upgradeFields = upgradeStatus === 101 ? [["Upgrade"], ["websocket"]] : [[], []];

    test("accepts with its status and its fields and hands over the stream", async () => {
      const { exchange, client, handler } = await startScene(harness);
      const raw = exchange.takeOver(["X-One", "caf\xe9", "X-One", "2"]);
      handler.takenOver = true;
      expect(raw).toBeDefined();
      await until(() => client.received.status === upgradeStatus);
      const { headers } = client.received;
      expect(fieldsOf(headers, "x-one")).toEqual(["caf\xe9", "2"]);
      expect([fieldsOf(headers, "connection"), fieldsOf(headers, "upgrade")]).toEqual(upgradeFields);
      raw?.stream.write("from the proxy");
      await until(() => client.receivedRaw === "from the proxy");
      let received = "";
      raw?.stream.on("data", (chunk: Buffer) => {
        received += chunk.toString("latin1");
      });
      client.sendRaw("from the client");
      await until(() => received === "from the client");
      expect([raw?.early.length, raw?.bytesRead]).toEqual([0, 15]);
      raw?.stream.destroy();
    });

    test("hands over what was received behind the head, and counts it", async () => {
      const { exchange, client, handler } = await startScene(harness, { early: "early" });
      const raw = exchange.takeOver([]);
      handler.takenOver = true;
      expect([raw?.early.toString(), raw?.bytesRead]).toEqual(["early", 5]);
      let received = "";
      raw?.stream.on("data", (chunk: Buffer) => {
        received += chunk.toString("latin1");
      });
      client.sendRaw("later");
      await until(() => received === "later");
      expect(raw?.bytesRead).toBe(10);
      raw?.stream.destroy();
    });

    test("calls the handler no more when the client leaves", async () => {
      const { exchange, client, handler } = await startScene(harness);
      const raw = exchange.takeOver([]);
      handler.takenOver = true;
      raw?.stream.on("error", () => {}).resume();
      await until(() => client.received.status === upgradeStatus);
      client.leave();
      await until(() => raw?.stream.destroyed === true);
      // The handler records a call as a violation.
      await turns(10);
      expect(handler.closed).toBeUndefined();
    });
  });
}
