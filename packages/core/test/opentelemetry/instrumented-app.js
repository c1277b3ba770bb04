// An app whose HTTP server and client are traced by OpenTelemetry's own instrumentation, which evenkeel meets as in production:
// SDK first, then the app. Sends requests through a proxy in node:http and in Express, and prints the spans as lines of JSON.

import { once } from "node:events";
import { createRequire } from "node:module";
import { context, propagation, SpanKind, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { registerInstrumentations } from "@opentelemetry/instrumentation";
import { HttpInstrumentation } from "@opentelemetry/instrumentation-http";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";

const exporter = new InMemorySpanExporter();
trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
propagation.setGlobalPropagator(new W3CTraceContextPropagator());
registerInstrumentations({ instrumentations: [new HttpInstrumentation()] });

// As in a CommonJS app: what is required from here on is patched.
const require = createRequire(new URL("../../../express/package.json", import.meta.url));
const http = require("node:http");
const express = require("express");
const { WebSocket, WebSocketServer } = require("ws");
const { createProxy } = await import("evenkeel");
const { evenkeel } = await import(new URL("../../../express/dist/index.js", import.meta.url).href);

async function listen(server) {
  await once(server.listen(0, "127.0.0.1"), "listening");
  return `http://127.0.0.1:${server.address().port}`;
}

const probed = Promise.withResolvers?.() ?? withResolvers();
const upstream = http.createServer((req, res) => {
  res.end("from the upstream");
  if (req.url === "/health") res.once("close", () => probed.resolve());
});
const sockets = new WebSocketServer({ server: upstream });
sockets.on("connection", (socket) => socket.on("message", () => socket.close(1000)));
const upstreams = [{ id: "a", url: await listen(upstream) }];
const healthCheck = { path: "/health", fastInterval: "100ms", interval: "1h", healthyThreshold: 1 };

const proxy = createProxy({ pools: { api: { upstreams, healthCheck } }, routes: [{ pool: "api" }] });
const plain = http.createServer(proxy.handler).on("upgrade", proxy.upgrade);
const untraced = createProxy({ upstreams }, { tracing: false });
const left = http.createServer(untraced.handler);
const middleware = evenkeel({ upstreams });
const app = express().use("/api", middleware);
const withExpress = http.createServer(app);
await probed.promise;

const responses = {
  plain: `${await listen(plain)}/plain`,
  express: `${await listen(withExpress)}/api/express`,
  untraced: `${await listen(left)}/untraced`,
};
for (const url of Object.values(responses)) {
  const [response] = await once(http.get(url, { agent: false }), "response");
  await once(response.resume(), "close");
}
const socket = new WebSocket(`${responses.plain.replace("http", "ws")}/chat`);
await once(socket, "open");
socket.send("bye");
await once(socket, "close");
await Promise.all([proxy, untraced, middleware].map((one) => one.close({ timeout: "1s" })));
for (const server of [plain, left, withExpress, upstream]) server.close();
sockets.close();

for (const span of exporter.getFinishedSpans()) {
  const { attributes, kind, name, instrumentationScope, parentSpanContext } = span;
  const url = attributes["url.full"] ?? attributes["http.url"] ?? attributes["url.path"] ?? attributes["http.target"];
  const from = instrumentationScope.name.replace("@opentelemetry/instrumentation-", "");
  const path = URL.canParse(url) ? new URL(url).pathname : url;
  console.log(
    JSON.stringify({
      text: `${from} ${SpanKind[kind]} ${name} ${path}`,
      id: span.spanContext().spanId,
      parent: parentSpanContext?.spanId,
    }),
  );
}

function withResolvers() {
  let resolve;
  const promise = new Promise((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
