import http from "node:http";
import { createProxy } from "evenkeel";

const proxy = createProxy(
  {
    pools: {
      shop: {
        balance: "round-robin",
        upstreams: ["http://127.0.0.1:3001", "http://127.0.0.1:3002"],
        timeouts: { headers: "30s" },
      },
    },
    routes: [{ pool: "shop", preserveHost: false, requestHeaders: { set: { "X-Gateway": "shop" } } }],
  },
  { onError: ({ status, respond }) => respond({ status, body: "the shop is closed\n" }) },
);

http.createServer(proxy.handler).on("upgrade", proxy.upgrade).on("clientError", proxy.clientError).listen(8080);
