import http from "node:http";
import { createProxy } from "evenkeel";
import { expect, onTestFinished } from "vitest";
import { startUpstream } from "../../../core/test/support/start-upstream.ts";
import { createAdmin } from "../../src/index.ts";
import { browserTest, eventually, openPage, useBrowser } from "../support/browser.ts";
import { serve, serveAdmin } from "../support/harness.ts";

useBrowser();

browserTest("shows events, failed requests and problems as they happen", async () => {
  const upstream = await startUpstream("a");
  const { port, proxy } = await serveAdmin({
    pools: {
      api: {
        retry: { attempts: 1 },
        outlierDetection: false,
        upstreams: [
          { id: "a", url: upstream.url },
          { id: "b", url: "http://127.0.0.1:1", backup: true },
        ],
      },
    },
  });
  const front = await serve(proxy.handler);
  const page = await openPage(`http://127.0.0.1:${port}/`);
  const status = page.getByRole("region", { name: "Status" });
  await status.getByRole("heading", { name: "All healthy" }).waitFor();
  expect(await page.title()).toBe("All healthy · Evenkeel");
  const events = page.getByRole("region", { name: "Events" });
  const failures = page.getByRole("region", { name: "Recent failed requests" });
  await failures.getByText("No request has failed.").waitFor();

  // What the upstream and the client send is text, never markup, and what is secret in it is not shown.
  upstream.answer = (_req, res) => void res.writeHead(503).end();
  const headers = {
    host: "a.example",
    authorization: "Bearer secret",
    cookie: "a=secret",
  };
  for (let count = 0; count < 10; count++) await front.send("GET", "/<img/src=x>?token=secret", { headers });
  const failure = failures.getByRole("row").filter({ hasText: "503" }).first();
  await failure.waitFor();
  expect(await failure.textContent()).toMatch(/GET.*a\.example\/<img\/src=x>.*sent by the upstream.*api\/a.*503/s);
  await failure.getByRole("button", { name: `Copy request id ${proxy.recentFailures()[0]?.requestId}` }).waitFor();
  expect(await page.content()).not.toContain("secret");
  expect(await page.locator("img").count()).toBe(0);

  await status.getByText("api").first().waitFor();
  await eventually(() => page.title()).toMatch(/api.* · Evenkeel/);
  expect(await page.locator("#favicon").getAttribute("href")).toMatch(/trouble|warning/);
  await eventually(() => page.locator('[data-upstream="a"] .c-errors').textContent()).toBe("100 %");

  proxy.pools.get("api")?.setState("a", "draining");
  await events.getByText("is draining, before active").waitFor();
  proxy.reload({ pools: { api: { upstreams: [{ id: "new", url: upstream.url }] } } });
  await events.getByText("The configuration was reloaded").waitFor();
  await page.locator('[data-upstream="new"]').waitFor();
  await page.locator('[data-upstream="b"]').waitFor({ state: "detached" });
});

browserTest("explains a request without sending it", async () => {
  const upstream = await startUpstream("a");
  const { port } = await serveAdmin({
    pools: {
      api: {
        upstreams: [
          { id: "a", url: upstream.url, weight: 3 },
          { id: "b", url: "http://127.0.0.1:1" },
        ],
      },
      web: { upstreams: ["http://127.0.0.1:2"] },
    },
    routes: [
      { path: "/api", pool: "api" },
      { path: "/", pool: "web" },
    ],
  });
  const page = await openPage(`http://127.0.0.1:${port}/#/api`, { expectedErrors: /status of 4/ });
  const form = page.getByRole("region", { name: "Explain a request" });
  await form.getByLabel("Path or URL").fill("/api/users");
  await page.keyboard.press("Enter");
  await form.getByRole("listitem").first().waitFor();
  expect(await form.getByRole("listitem").allTextContents()).toMatchObject(
    [/^a ?75 %/, /^b ?25 %/].map((pattern) => expect.stringMatching(pattern)),
  );
  await form.getByLabel("Path or URL").fill("/elsewhere");
  await form.getByRole("button", { name: "Explain" }).click();
  await form.getByText("(not api)").waitFor();
  await form.getByLabel("Header").fill("not a header");
  await form.getByRole("button", { name: "Explain" }).click();
  await form.locator(".tone-bad").waitFor();
  expect(upstream.received).toEqual([]);
});

browserTest("marks its data as old while the server is away, and is live again by itself after a restart", async () => {
  const first = serveOn(0, "before");
  const port = await first.port;
  const page = await openPage(`http://127.0.0.1:${port}/#/api/before`, {
    expectedErrors: /404|ERR_CONNECTION_(REFUSED|RESET)|ERR_INCOMPLETE/,
  });
  const state = () => page.evaluate("document.documentElement.dataset.state");
  await page.locator('[data-upstream="before"]').waitFor();
  await eventually(state).toBe("live");
  const failedUrls: string[] = [];
  page.on("requestfailed", (request) => failedUrls.push(request.url()));
  page.on("console", (message) => failedUrls.push(message.location().url));

  first.close();
  await eventually(state).toBe("stale");
  const alert = page.getByRole("alert");
  expect(await alert.textContent()).toMatch(/Not up to date.*\d+ s old.*cannot be reached/s);
  expect(await page.title()).toBe("Not connected · Evenkeel");
  // The last data stays, so that an operator can go on reading.
  expect(await page.locator('[data-upstream="before"]').count()).toBe(1);
  expect(await page.locator("#favicon").getAttribute("href")).toMatch(/unknown/);

  const second = serveOn(port, "after");
  await second.port;
  await page.locator('[data-upstream="after"]').waitFor();
  await eventually(state).toBe("live");
  expect(await alert.count()).toBe(0);
  await page.getByRole("complementary").getByText("There is no api/before now").waitFor();
  // The events of the new process arrive as well.
  second.proxy.pools.get("api")?.setState("after", "draining");
  await page.getByRole("region", { name: "Events" }).getByText("is draining, before active").waitFor();
  expect(failedUrls.filter((url) => url.endsWith(".svg"))).toEqual([]);
});

/** A process of its own would be no more of a server to the page. */
function serveOn(port: number, upstream: string) {
  const proxy = createProxy({ pools: { api: { upstreams: [{ id: upstream, url: "http://127.0.0.1:1" }] } } });
  const admin = createAdmin(proxy);
  const server = http.createServer(admin.handler).listen(port, "127.0.0.1");
  const close = () => {
    admin.close();
    server.closeAllConnections();
    server.close();
  };
  onTestFinished(async () => {
    close();
    await proxy.close({ timeout: "0s" });
  });
  const listening = new Promise<number>((resolve) => {
    server.once("listening", () => resolve((server.address() as { port: number }).port));
  });
  return { proxy, close, port: listening };
}
