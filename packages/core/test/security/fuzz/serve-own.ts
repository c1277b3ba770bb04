import type { ClientExchange } from "../../../src/client/client-exchange.ts";
import { until } from "../../support/event-loop.ts";
import { ownServer } from "../../support/own-server.ts";
import type { Serve } from "./lab.ts";

/** The proxy behind a server of our own. */
export const serveOwn: Serve = async (proxy, onHandOn) => {
  const { requests } = proxy;
  // Without a method: bytes that no request was made of.
  const count = ({ method, connection }: ClientExchange) => {
    if (method !== "" && connection !== undefined) onHandOn(connection);
  };
  const { port, connections, close } = await ownServer({
    onRequest: (exchange, refusal) => {
      count(exchange);
      requests.onRequest(exchange, refusal);
    },
    onHandshake: (exchange, refusal) => {
      count(exchange);
      requests.onHandshake(exchange, refusal);
    },
    onMalformed: (exchange, code) => {
      count(exchange);
      requests.onMalformed(exchange, code);
    },
  });
  return {
    port,
    get connections() {
      return connections.size;
    },
    close: async () => {
      close();
      await until(() => connections.size === 0);
    },
  };
};
