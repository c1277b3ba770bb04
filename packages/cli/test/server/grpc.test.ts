import { expect, test } from "vitest";
import { cert, key } from "../../../core/test/support/certificates.ts";
import { until } from "../../../core/test/support/event-loop.ts";
import { EchoClient, echo, grpcServer } from "../../../core/test/support/grpc-lab.ts";
import { serve, writeFile } from "../support/cli.ts";
import { withAdmin } from "../support/configs.ts";
import { sendRequest } from "../support/http.ts";

/** A pool of gRPC servers with a health check, as in docs/grpc.md. */
function grpcPool(urls: readonly string[]): string {
  return `
[pools.echo]
upstreams = ${JSON.stringify(urls)}
connections = { http2 = "h2c" }
[pools.echo.healthCheck]
type = "grpc"
initialState = "checking"
interval = "200ms"
`;
}

test.each([
  ["with prior knowledge", ""],
  ["over TLS", "[server.tls]"],
])("the command serves gRPC %s, with health checks, the access log and metrics", async (_, tls) => {
  const serving = await grpcServer(echo, { health: () => 1 });
  const stopped = await grpcServer(echo, { health: () => 2 });
  const files = `cert = "${writeFile("a.crt", cert)}"\nkey = "${writeFile("a.key", key)}"`;
  const listen = `[server]\nlisten = "127.0.0.1:0"\nh2c = ${tls === ""}\n${tls === "" ? "" : `${tls}\n${files}\n`}`;
  const toml = `${listen}${withAdmin}${grpcPool([serving.url, stopped.url])}`;
  const { port, admin, stdout, kill, ended } = await serve(toml);
  const client = new EchoClient(port, tls === "" ? undefined : cert);
  // No call is served before the first check.
  await until(async () => (await client.unary("hello")).code === 0);
  for (let count = 1; count < 10; count++) expect(await client.unary("hello")).toMatchObject({ code: 0 });
  const line = await stdout.record(({ grpcStatus }) => grpcStatus === 0);
  expect(line).toMatchObject({ protocol: "HTTP/2.0", method: "POST", url: "/test.Echo/Unary", status: 200 });
  expect(line["upstream"]).toBe(`127.0.0.1:${serving.port}`);
  const { text } = await sendRequest(admin, { path: "/metrics" });
  expect(text).toContain('evenkeel_grpc_calls_total{route="/*",pool="echo",status="OK"} 10');
  kill("SIGTERM");
  expect(await ended).toEqual({ code: 0, signal: null });
});
