import type { Page } from "playwright-core";
import { expect } from "vitest";
import { browserTest, newPage, signIn, useBrowser } from "../support/browser.ts";
import { type Served, serve, serveAdmin } from "../support/harness.ts";

const token = "the-token-of-operators";
const oneUpstream = { pools: { api: { upstreams: [{ id: "a", url: "http://127.0.0.1:1" }] } } };
const upstream = "api/pools/api/upstreams/a";
const upstreams = "api/pools/api/upstreams";

useBrowser();

/** What a page tries, with the message of its failure. An attempt that does not fail succeeds. */
const attempts = (dashboard: string): readonly (readonly [name: string, failure: string, code: string])[] => [
  ["read", "Failed to fetch", `fetch("${dashboard}api/overview", { credentials: "include" })`],
  [
    "read without CORS",
    "empty",
    `fetch("${dashboard}api/overview", { credentials: "include", mode: "no-cors" }).then((r) => r.text()).then((text) => {
      if (text === "") throw new Error("empty");
    })`,
  ],
  [
    "change",
    "Failed to fetch",
    `fetch("${dashboard}${upstream}", {
      method: "PATCH", credentials: "include", headers: { "content-type": "application/json" }, body: '{"state":"disabled"}'
    })`,
  ],
  [
    "change without CORS",
    "sent",
    `fetch("${dashboard}${upstreams}", { method: "POST", credentials: "include", mode: "no-cors", body: '{"url":"http://a"}' })
      .then(() => Promise.reject(new Error("sent")))`,
  ],
  [
    "change by a beacon",
    "sent",
    `(async () => { throw new Error(navigator.sendBeacon("${dashboard}${upstreams}", '{"url":"http://a"}') ? "sent" : "refused") })()`,
  ],
  [
    "read events",
    "refused",
    `new Promise((resolve, reject) => {
      const source = new EventSource("${dashboard}api/events", { withCredentials: true });
      source.onopen = resolve;
      source.onerror = () => (source.close(), reject(new Error("refused")));
    })`,
  ],
  ["load data as a script", "blocked", `load("script", "src", "${dashboard}api/overview")`],
  ["load the page's script", "blocked", `load("script", "src", "${dashboard}dashboard/main.js")`],
  ["load an image", "blocked", `load("img", "src", "${dashboard}dashboard/favicon.svg")`],
  [
    "open the page and keep a hold of it",
    "severed",
    `new Promise((resolve, reject) => {
      const opened = open("${dashboard}");
      const timer = setInterval(() => {
        if (!opened.closed) return;
        clearInterval(timer);
        reject(new Error("severed"));
      }, 10);
    })`,
  ],
];

const load = `globalThis.load = (name, attribute, url) => new Promise((resolve, reject) => {
  const element = document.createElement(name);
  element.onload = resolve;
  element.onerror = () => reject(new Error("blocked"));
  element[attribute] = url;
  document.body.append(element);
});`;

/** Resolves with the names of the attempts and how they ended, and how they should. */
async function attack(page: Page, dashboard: string): Promise<{ readonly results: object; readonly expected: object }> {
  const all = attempts(dashboard);
  const tries = all.map(([, , code]) => `(async () => ${code})().then(() => "SUCCEEDED", (error) => error.message)`);
  await page.evaluate(load);
  const results = await page.evaluate<string[]>(`Promise.all([${tries.join(",\n")}])`);
  return {
    results: Object.fromEntries(all.map(([name], index) => [name, results[index]])),
    expected: Object.fromEntries(all.map(([name, failure]) => [name, failure])),
  };
}

/** Posts a form as a user would be made to, and resolves with what the browser shows then. */
async function postForm(page: Page, action: string, enctype: string): Promise<string> {
  // Of all bodies that a form can send, the one that is JSON.
  const input = `<input name='{"url":"http://127.0.0.1:2","id":"' value='b"}'>`;
  await page.setContent(
    `<form method="post" action="${action}" enctype="${enctype}">${input}<button>Win</button></form>`,
  );
  const [response] = await Promise.all([
    page.waitForResponse((one) => one.request().isNavigationRequest()),
    page.getByRole("button").click(),
  ]);
  return `${response.status()} ${await response.text()}`;
}

/** Another port of the same host is another origin, but the same site: browsers send the cookie. */
const lures = [
  ["127.0.0.1", "text/plain"],
  ["evil.test", "application/x-www-form-urlencoded"],
] as const;

const members = ({ proxy }: Served) => proxy.snapshot().pools[0]?.upstreams.map(({ id, state }) => `${id} ${state}`);

browserTest("a page of another origin can read, change and frame nothing, with the cookie of an operator", async () => {
  const served = await serveAdmin(oneUpstream, { token });
  const evil = await serve((_req, res) => void res.setHeader("content-type", "text/html").end("<!doctype html><body>"));
  const dashboard = `http://127.0.0.1:${served.port}/`;
  const page = await newPage({ expectedErrors: /./ });
  await page.goto(dashboard);
  await signIn(page, token);
  await page.locator('[data-upstream="a"]').waitFor();

  const attacker = await page.context().newPage();
  for (const [host, enctype] of lures) {
    const lure = `http://${host}:${evil.port}/`;
    await attacker.goto(lure);
    const { results, expected } = await attack(attacker, dashboard);
    expect(results, host).toEqual(expected);
    await attacker.evaluate(`load("iframe", "src", "${dashboard}")`);
    // The error page of the browser, in place of what it did not load.
    expect(attacker.frames().map((frame) => frame.url())).toEqual([lure, "chrome-error://chromewebdata/"]);
    await attacker.goto(lure);
    expect(await postForm(attacker, `${dashboard}${upstreams}`, enctype)).toMatch(/^403 .*another origin/);
  }
  expect(members(served)).toEqual(["a active"]);
  // The session itself still works.
  await page.reload();
  await page.locator('[data-upstream="a"]').waitFor();
});

browserTest("a name that an attacker's DNS maps to this machine gets neither page nor data", async () => {
  const served = await serveAdmin(oneUpstream);
  const page = await newPage({ expectedErrors: /status of 421/ });
  const response = await page.goto(`http://rebound.test:${served.port}/`);
  expect(response?.status()).toBe(421);
  const headers = { "content-type": "application/json" };
  const requests = [
    ["api/overview"],
    ["api/session"],
    ["api/events"],
    ["dashboard/main.js"],
    [upstream, { method: "PATCH", headers, body: '{"state":"disabled"}' }],
    [upstreams, { method: "POST", headers, body: '{"url":"http://127.0.0.1:2"}' }],
  ];
  // To this page the API is of its own origin, so that it may read the responses.
  const statuses = `Promise.all(${JSON.stringify(requests)}.map(([path, init]) => fetch("/" + path, init).then((r) => r.status)))`;
  expect(await page.evaluate(statuses)).toEqual(requests.map(() => 421));
  expect(members(served)).toEqual(["a active"]);
});
