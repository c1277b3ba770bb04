import { evenkeel } from "@evenkeel/express";
import express from "express";

const shop = evenkeel({
  prefix: "/api",
  pools: { shop: { upstreams: ["http://127.0.0.1:3001"], timeouts: { headers: "30s" } } },
  routes: [
    {
      methods: ["GET", "POST"],
      pool: "shop",
      addPrefix: "/v1",
      preserveHost: false,
      requestHeaders: { set: { "X-Gateway": "shop" } },
      responseHeaders: { set: { "Cache-Control": "no-store" } },
    },
  ],
});

const app = express();
app.use("/api", shop);
app.listen(8080).on("upgrade", shop.upgrade).on("clientError", shop.clientError);
