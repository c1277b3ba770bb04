import type { RequestSink } from "../../src/client/server/request-sink.ts";
import type { RequestEvent } from "../../src/events.ts";
import { createProxy } from "../../src/proxy.ts";
import type { Layer } from "./layers.ts";
import { ownServer } from "./own-server.ts";
import { leftovers } from "./start-proxy.ts";

/** The proxy behind a server of our own. */
export const ownLayer: Layer = async (options) => {
  const proxy = createProxy(options);
  const requests: RequestEvent[] = [];
  proxy.on("request", (event) => void requests.push(event));
  let accepted = 0;
  const { requests: sink } = proxy;
  const counting: RequestSink = {
    onRequest: (exchange, refusal) => {
      accepted++;
      sink.onRequest(exchange, refusal);
    },
    onHandshake: (exchange, refusal) => {
      accepted++;
      sink.onHandshake(exchange, refusal);
    },
    onMalformed: (exchange, code) => {
      accepted++;
      sink.onMalformed(exchange, code);
    },
  };
  const { port, connections, close } = await ownServer(counting);
  return {
    traits: { tellsRefusals: true, unrouted: "the proxy's", badTargets: "the proxy's", setsHeaders: false },
    port,
    requests,
    get accepted() {
      return accepted;
    },
    leftovers: () => {
      const open = connections.size;
      return [...leftovers(proxy), ...(open > 0 ? [`${open} client connections`] : [])];
    },
    close: async () => {
      await proxy.close({ timeout: "0ms" });
      close();
    },
  };
};
