import { expect } from "vitest";
import { browserTest, eventually, openPage, useBrowser } from "../support/browser.ts";
import { serve, serveAdmin } from "../support/harness.ts";

useBrowser();

browserTest("markup that gets into the page runs no script and sends nothing to another origin", async () => {
  const { port, proxy } = await serveAdmin({ pools: { api: { upstreams: [{ id: "a", url: "http://127.0.0.1:1" }] } } });
  const received: string[] = [];
  const other = await serve((req, res) => {
    received.push(req.url ?? "");
    res.setHeader("access-control-allow-origin", "*").end();
  });
  const page = await openPage(`http://127.0.0.1:${port}/`, {
    expectedErrors: /Content Security Policy|violates|status of 40[34]/,
  });
  const blocked = new Set<string>();
  page.on("console", (message) => blocked.add(/^violates (\S+)/.exec(message.text())?.[1] ?? ""));
  await page.locator('[data-upstream="a"]').waitFor();
  const elsewhere = `http://127.0.0.1:${other.port}`;
  await page.evaluate(`(() => {
    const markup = document.createElement("div");
    markup.innerHTML = '<img src="x" onerror="ran = 1"><p style="color: red"></p><iframe src="${elsewhere}/frame"></iframe>' +
      '<img src="${elsewhere}/img"><form action="${elsewhere}/form" method="post"></form><base href="${elsewhere}/">' +
      '<object data="${elsewhere}/object"></object><video src="${elsewhere}/video"></video>';
    document.body.append(markup);
    const scripts = [{ textContent: "ran = 2" }, { src: "${elsewhere}/script" }, { src: "data:text/javascript,ran = 3" }];
    for (const script of scripts) document.body.append(Object.assign(document.createElement("script"), script));
    markup.querySelector("form").submit();
    fetch("${elsewhere}/fetch").catch(() => {});
    new EventSource("${elsewhere}/events");
    navigator.sendBeacon("${elsewhere}/beacon");
  })()`);
  await eventually(() => [...blocked].filter(Boolean).sort()).toEqual([
    "base-uri",
    "connect-src",
    "form-action",
    "frame-src",
    "img-src",
    "media-src",
    "object-src",
    "script-src-attr",
    "script-src-elem",
    "style-src-attr",
  ]);
  expect(received).toEqual([]);
  expect(await page.evaluate("typeof ran")).toBe("undefined");
  // The page itself goes on.
  proxy.pools.get("api")?.setWeight("a", 7);
  await eventually(() => page.locator('[data-upstream="a"] .c-weight').textContent()).toBe("7");
});
