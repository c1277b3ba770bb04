import http from "node:http";
import httpProxy from "http-proxy";

const targets = ["http://127.0.0.1:3001", "http://127.0.0.1:3002"];
let turn = 0;
const target = () => targets[turn++ % targets.length];

const agent = new http.Agent({ keepAlive: true });
const proxy = httpProxy.createProxyServer({ agent, changeOrigin: true, xfwd: true, proxyTimeout: 30_000 });
proxy.on("proxyReq", (proxyReq) => proxyReq.setHeader("X-Gateway", "shop"));
proxy.on("error", (_error, _req, res) => {
  if ("writeHead" in res && !res.headersSent) res.writeHead(502).end("the shop is closed\n");
  else res.destroy();
});

http
  .createServer((req, res) => proxy.web(req, res, { target: target() }))
  .on("upgrade", (req, socket, head) => proxy.ws(req, socket, head, { target: target() }))
  .listen(8080);
