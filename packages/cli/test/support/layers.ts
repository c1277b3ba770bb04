import { createProxy, type RequestEvent } from "evenkeel";
import type { Layer } from "../../../core/test/support/layers.ts";
import { leftovers } from "../../../core/test/support/start-proxy.ts";
import { Listener } from "../../src/server/listener.ts";

/** The command's own server, with everything told that has a line in its access log. */
export const cliLayer: Layer = async (options) => {
  const proxy = createProxy(options);
  const requests: RequestEvent[] = [];
  proxy.on("request", (event) => void requests.push(event));
  const settings = { maxConnections: 1_000, timeouts: { requestHeadersMs: 10_000, keepAliveMs: 10_000 } };
  const listener = await Listener.open({ host: "127.0.0.1", port: 0 }, settings, undefined, {
    request: proxy.handler,
    upgrade: proxy.upgrade,
    drop() {},
    clientError: proxy.clientError,
    error() {},
  });
  return {
    traits: { tellsRefusals: true, unrouted: "the proxy's" },
    port: Number(new URL(listener.url).port),
    requests,
    accepted: undefined,
    leftovers: () => leftovers(proxy),
    close: async () => {
      listener.destroy();
      await proxy.close({ timeout: "0ms" });
    },
  };
};
