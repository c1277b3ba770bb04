import { evenkeel } from "@evenkeel/express";
import express from "express";

const changes = {
  preserveHost: false,
  requestHeaders: { set: { "X-Gateway": "shop" } },
  responseHeaders: { remove: ["X-Powered-By"] },
};
const shop = evenkeel({
  prefix: "/api",
  pools: {
    shop: { upstreams: ["http://127.0.0.1:3001"] },
    admin: { upstreams: ["http://127.0.0.1:3002"] },
  },
  routes: [
    { host: "admin.shop.test", path: "/users", pool: "admin", ...changes },
    { host: "admin.shop.test", path: "/orders", pool: "admin", addPrefix: "/v1", ...changes },
    { path: "/users", pool: "shop", ...changes },
    { path: "/orders", pool: "shop", addPrefix: "/v1", ...changes },
  ],
});

const app = express();
app.use("/api", shop);
app.listen(8080).on("upgrade", shop.upgrade).on("clientError", shop.clientError);
