import express from "express";
import proxy from "express-http-proxy";

const app = express();
app.use(
  "/api",
  proxy("http://127.0.0.1:3001", {
    timeout: 30_000,
    filter: (req) => req.method === "GET" || req.method === "POST",
    proxyReqPathResolver: (req) => `/v1${req.url}`,
    proxyReqOptDecorator: (options) => {
      options.headers["x-gateway"] = "shop";
      return options;
    },
    userResHeaderDecorator: (headers) => ({ ...headers, "cache-control": "no-store" }),
  }),
);
app.listen(8080);
