import { describe, expect, test } from "vitest";
import { closingContract } from "./client-exchange-closing.ts";
import { type ClientExchangeHarness, openScene } from "./client-exchange-harness.ts";
import { requestBodyContract } from "./client-exchange-request-body.ts";
import { responseContract } from "./client-exchange-response.ts";
import { tunnelContract } from "./client-exchange-tunnel.ts";

/** What every implementation of `ClientExchange` owes its handler and its client. */
export function clientExchangeContract(name: string, harness: ClientExchangeHarness): void {
  const { traits } = harness;

  describe(`the contract of a client exchange: ${name}`, () => {
    describe("the head of a request", () => {
      test("is given as data, as it was received", async () => {
        const headers = ["X-One", "1", "x-TWO", "caf\xe9", "X-One", "3"];
        const { exchange } = await openScene(harness, { target: "/a/./b?c=%20", headers });
        expect([exchange.method, exchange.target, exchange.httpVersion]).toEqual([
          "GET",
          "/a/./b?c=%20",
          traits.httpVersion,
        ]);
        expect([exchange.remoteAddress, exchange.encrypted]).toEqual([traits.remoteAddress, traits.encrypted]);
        expect(exchange.changedHeaders).toBeUndefined();
        const known = exchange.rawHeaders.filter((_, index, all) => /^x-/i.test(all[index - (index % 2)] ?? ""));
        const received = traits.keepsLetterCase ? headers : headers.map((text, at) => (at % 2 ? text : lower(text)));
        expect(known).toEqual(received);
      });

      test("has a connection exactly where one carries the requests of a client in sequence", async () => {
        const { exchange } = await openScene(harness, {});
        expect(exchange.connection !== undefined).toBe(traits.hasConnection);
      });

      test("comes before the status of a response, a fault and a 100", async () => {
        const { exchange } = await openScene(harness, {});
        expect([exchange.status, exchange.fault, exchange.continueSent]).toEqual([0, undefined, false]);
        expect([exchange.bodyTaken, exchange.bodyBytes]).toEqual([false, 0]);
      });
    });

    requestBodyContract(harness);

    responseContract(harness);
    closingContract(harness);
    tunnelContract(harness);
  });
}

function lower(text: string): string {
  return text.toLowerCase();
}
