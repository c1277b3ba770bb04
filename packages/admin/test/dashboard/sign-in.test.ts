import type { Page } from "playwright-core";
import { expect } from "vitest";
import { browserTest, eventually, openPage, signIn, useBrowser } from "../support/browser.ts";
import { serve, serveAdmin } from "../support/harness.ts";

const token = "the-token-of-operators";
const readToken = "the-token-of-viewers";
const twoUpstreams = {
  pools: {
    api: {
      upstreams: [
        { id: "a", url: "http://127.0.0.1:1" },
        { id: "b", url: "http://127.0.0.1:2" },
      ],
    },
  },
};

/** A wrong token, or a session that has ended. */
const expectedErrors = /status of 40[13]/;

useBrowser();

browserTest("an operator signs in with the token, and out", async () => {
  const { port, send } = await serveAdmin(twoUpstreams, { token, readToken });
  const page = await openPage(`http://127.0.0.1:${port}/`, { expectedErrors });
  const upstreams = page.getByRole("table", { name: "Upstreams by pool" });

  await signIn(page, "a wrong one");
  await page.getByRole("alert").filter({ hasText: "not the token" }).waitFor();
  expect(await upstreams.count()).toBe(0);
  await signIn(page, token);
  await upstreams.waitFor();
  await page.getByRole("button", { name: "Actions for api/a" }).waitFor();

  const cookies = await page.context().cookies();
  expect(cookies).toMatchObject([{ httpOnly: true, sameSite: "Strict", path: "/api", secure: false }]);
  const [{ name = "", value = "" } = {}] = cookies;
  expect(await readable(page)).not.toMatch(new RegExp(`${token}|${value}`));
  expect(value).not.toContain(token);

  // The session outlives the page, and ends on the server too.
  await page.reload();
  await upstreams.waitFor();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Token", { exact: true }).waitFor();
  expect(await upstreams.count()).toBe(0);
  expect(await page.context().cookies()).toEqual([]);
  expect((await send("GET", "/api/overview", { headers: { cookie: `${name}=${value}` } })).status).toBe(401);
  await page.reload();
  await page.getByLabel("Token", { exact: true }).waitFor();
});

browserTest("a viewer sees everything and changes nothing", async () => {
  const { port, proxy } = await serveAdmin(twoUpstreams, { token, readToken });
  const page = await openPage(`http://127.0.0.1:${port}/#/api/a`, { expectedErrors });
  await signIn(page, readToken);
  await page.getByText("Read-only").waitFor();
  await page.getByRole("complementary").getByText("http://127.0.0.1:1").waitFor();
  expect(await page.getByRole("button", { name: /Actions|Add|Drain|Disable|Enable|Remove|Set weight/ }).count()).toBe(
    0,
  );

  const change = { method: "PATCH", headers: { "content-type": "application/json" }, body: '{"state":"disabled"}' };
  const status = await page.evaluate(
    `fetch("api/pools/api/upstreams/a", ${JSON.stringify(change)}).then(({ status }) => status)`,
  );
  expect(status).toBe(403);
  expect(proxy.snapshot().pools[0]?.upstreams[0]?.state).toBe("active");
});

browserTest("asks for the token again when the session has ended, and shows nothing until then", async () => {
  const { port, send } = await serveAdmin(twoUpstreams, { token, readToken });
  const page = await openPage(`http://127.0.0.1:${port}/`, { expectedErrors });
  await signIn(page, token);
  await page.locator('[data-upstream="a"]').waitFor();
  await eventually(() => page.evaluate("document.documentElement.dataset.state")).toBe("live");

  // The oldest session ends when there are too many.
  for (let count = 0; count < 100; count++)
    expect((await send("POST", "/api/session", { body: { token } })).status).toBe(204);
  await page.getByLabel("Token", { exact: true }).waitFor();
  await page.getByRole("status").getByText("Your session has ended").waitFor();
  expect(await page.evaluate("document.documentElement.dataset.state")).toBe("sign-in");
  expect(await page.content()).not.toContain("127.0.0.1:1/");
  expect(await page.title()).toContain("Sign in");
  await signIn(page, token);
  await page.locator('[data-upstream="a"]').waitFor();
});

browserTest("below a path of an app, the page and its session stay below that path", async () => {
  const { admin } = await serveAdmin(twoUpstreams, { token });
  // As Express passes requests to what is mounted at a path.
  const { port } = await serve((req, res) => {
    const [, rest] = /^\/ops(\/.*)?$/.exec(req.url ?? "") ?? [];
    admin.handler(Object.assign(req, { originalUrl: req.url, url: rest ?? "/" }), res);
  });
  const page = await openPage(`http://localhost:${port}/ops`, { expectedErrors });
  expect(page.url()).toBe(`http://localhost:${port}/ops/`);
  await signIn(page, token);
  await page.locator('[data-upstream="a"]').waitFor();
  expect(await page.context().cookies()).toMatchObject([{ path: "/ops/api" }]);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Token", { exact: true }).waitFor();
  expect(await page.context().cookies()).toEqual([]);
});

/** Everything that a script on the page can read. */
function readable(page: Page): Promise<string> {
  return page.evaluate(`(async () => {
    const cached = await caches.keys();
    const databases = await indexedDB.databases();
    return JSON.stringify([
      location.href, document.cookie, history.state, name, { ...localStorage }, { ...sessionStorage }, cached, databases,
      document.documentElement.outerHTML, [...document.querySelectorAll("input")].map(({ value }) => value),
      performance.getEntriesByType("resource").map(({ name }) => name),
    ]);
  })()`);
}
