import { clientExchangeContract } from "../contract/client-exchange-contract.ts";
import { http11Traits, type OpenedExchange } from "../contract/client-exchange-harness.ts";
import { ScriptedClient } from "../support/scripted-client.ts";
import type { ScriptedRequest } from "../support/scripted-request.ts";

function open(request: ScriptedRequest): Promise<OpenedExchange> {
  const client = new ScriptedClient(request);
  const respondAsApp = (status: number) => client.exchange.respondAsApp(status, [], "");
  return Promise.resolve({ exchange: client.exchange, client, respondAsApp });
}

clientExchangeContract("scripted, HTTP/1.1", { traits: http11Traits, open });

clientExchangeContract("scripted, HTTP/1.0", {
  traits: { ...http11Traits, httpVersion: "1.0", hasChunks: false, hasTrailers: false, hasInterimResponses: false },
  open: (sketch) => open({ ...sketch, httpVersion: "1.0" }),
});

clientExchangeContract("scripted, an upgrade", {
  traits: { ...http11Traits, isUpgrade: true, hasRequestBodies: false, hasChunks: false },
  open: (sketch) => open({ ...sketch, isUpgrade: true }),
});
