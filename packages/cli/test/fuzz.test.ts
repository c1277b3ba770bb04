import { createServer, type ServedProxy } from "evenkeel/server";
import { fuzz } from "../../core/test/security/fuzz/fuzz.ts";
import type { Serve } from "../../core/test/security/fuzz/lab.ts";

/** The server of the command, with the sink between it and the proxy counted. */
const serveCli: Serve = async ({ requests }, onHandOn) => {
  const counted: ServedProxy["requests"] = {
    clock: requests.clock,
    onRequest(exchange, refusal) {
      onHandOn(exchange);
      requests.onRequest(exchange, refusal);
    },
    onHandshake(exchange, refusal) {
      onHandOn(exchange);
      requests.onHandshake(exchange, refusal);
    },
    onMalformed(exchange, code) {
      // Without a request line it is no request.
      if (exchange.method !== "") onHandOn(exchange);
      requests.onMalformed(exchange, code);
    },
  };
  const timeouts = { requestHeaders: "60s", keepAlive: "60s" };
  const server = await createServer({ requests: counted }, { listen: "127.0.0.1:0", timeouts }).listen();
  return {
    port: Number(new URL(server.urls[0] as string).port),
    close: async () => {
      server.destroy();
      await server.close();
    },
  };
};

fuzz("cli", serveCli, 400);
