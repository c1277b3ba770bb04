// A server to put behind the proxy: `node upstream.js 3001` responds with its port.
import { createServer } from "node:http";

const server = createServer((req, res) => {
  res.end(req.url === "/healthz" ? "ok\n" : `hello from ${server.address().port}\n`);
});
server.listen(Number(process.argv[2] ?? 3001), "127.0.0.1", () => {
  console.log(`listening on ${server.address().port}`);
});
