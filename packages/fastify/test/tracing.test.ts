import { expect, test } from "vitest";
import { connect, startEcho } from "../../core/test/support/adapter-contract.ts";
import { ask } from "../../core/test/support/adapter-lab.ts";
import { drawTrees, startTracing } from "../../core/test/support/spans.ts";
import evenkeel from "../src/index.ts";
import { closeTimeout, createApp, serve } from "./support/app.ts";

test("a request and a WebSocket behind a prefix have a SERVER span with the whole path, and a CLIENT span", async () => {
  const { url } = await startEcho();
  const tracing = startTracing();
  const app = createApp();
  await app.register(evenkeel, { prefix: "/api", upstreams: [{ id: "a", url }], closeTimeout });
  const port = await serve(app);
  await ask(port, { path: "/api/users/7?page=2" });
  const socket = await connect(port, "/api/chat");
  socket.terminate();
  const spans = await tracing.ended(4);
  expect(drawTrees(spans)).toBe(
    ["SERVER GET /* 200", "  CLIENT GET 200 upstream=a", "SERVER GET /* 101", "  CLIENT GET 101 upstream=a", ""].join(
      "\n",
    ),
  );
  const paths = spans.map(({ attributes }) => attributes["url.path"]).filter((path) => path !== undefined);
  expect(paths).toEqual(["/api/users/7", "/api/chat"]);
});
