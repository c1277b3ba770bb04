import express from "express";
import { createProxyMiddleware } from "http-proxy-middleware";

const shop = createProxyMiddleware({
  target: "http://127.0.0.1:3001",
  router: { "admin.shop.test": "http://127.0.0.1:3002" },
  pathFilter: ["/users", "/orders"],
  pathRewrite: { "^/orders": "/v1/orders" },
  changeOrigin: true,
  xfwd: true,
  on: {
    proxyReq: (proxyReq) => proxyReq.setHeader("X-Gateway", "shop"),
    proxyRes: (proxyRes) => {
      delete proxyRes.headers["x-powered-by"];
    },
  },
});

const app = express();
app.use("/api", shop);
app.listen(8080);
