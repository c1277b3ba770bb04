import { offersWebSocket } from "evenkeel";
import { fuzz } from "../../core/test/security/fuzz/fuzz.ts";
import type { Serve } from "../../core/test/security/fuzz/lab.ts";
import { ConnectionTable } from "../src/server/connection-table.ts";
import { Listener, type ListenerHandlers } from "../src/server/listener.ts";

/** A listener, connected to a proxy as in the standalone server. */
const serveCli: Serve = async (proxy, onHandOn) => {
  const request: ListenerHandlers["request"] = (req, res, refusal) => {
    onHandOn(req.socket);
    proxy.forward(req, res, { refusal });
  };
  const settings = { timeouts: { requestHeadersMs: 60_000, keepAliveMs: 60_000 } };
  const table = new ConnectionTable({ served: 10_000, refused: 256 }, { closedIdle() {}, refused() {} });
  const listener = await Listener.open({ host: "127.0.0.1", port: 0 }, settings, undefined, table, {
    request,
    expecting: request,
    upgrade: (req, socket, head, refusal) => {
      // Any other upgrade becomes an ordinary request, which is counted below.
      if (offersWebSocket(req) || req.method === "CONNECT") onHandOn(socket);
      proxy.forwardUpgrade(req, socket, head, { refusal });
    },
    clientError: proxy.clientError,
    drop() {},
    error() {},
  });
  return {
    port: Number(new URL(listener.url).port),
    close: async () => {
      const stopped = listener.stopAccepting().then(() => listener.finish());
      listener.destroy();
      await stopped;
    },
  };
};

fuzz("cli", serveCli, 400);
