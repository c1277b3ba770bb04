import type { Locator, Page } from "playwright-core";
import { expect } from "vitest";
import { browserTest, eventually, openPage, useBrowser } from "../support/browser.ts";
import { type Served, serveAdmin } from "../support/harness.ts";

const threeUpstreams = {
  pools: { api: { upstreams: ["a", "b", "c"].map((id, index) => ({ id, url: `http://127.0.0.1:${index + 1}` })) } },
};

useBrowser();

const row = (page: Page, id: string) => page.locator(`[data-pool="api"][data-upstream="${id}"]`);

/** Opens the confirmation of an action from the menu of a row. */
async function choose(page: Page, id: string, action: string): Promise<Locator> {
  await page.getByRole("button", { name: `Actions for api/${id}` }).click();
  await page.getByRole("menuitem", { name: action }).click();
  return page.getByRole("dialog");
}

async function confirm(dialog: Locator, verb: string): Promise<void> {
  await dialog.getByRole("button", { name: verb, exact: true }).click();
  await dialog.waitFor({ state: "detached" });
}

const members = ({ proxy }: Served) =>
  proxy.snapshot().pools[0]?.upstreams.map(({ id, state, weight }) => `${id} ${state} ${weight}`);

browserTest("each action states its effect, waits for the confirmation and changes the proxy", async () => {
  const served = await serveAdmin(threeUpstreams);
  const page = await openPage(`http://127.0.0.1:${served.port}/`);
  const unchanged = ["a active 1", "b active 1", "c active 1"];

  // A dialog that is cancelled, by its button or by Escape, changes nothing.
  let dialog = await choose(page, "a", "Drain…");
  expect(await dialog.getByRole("heading").textContent()).toBe("Drain api/a");
  expect(await dialog.textContent()).toContain("2 of 3 upstreams stay. Each takes about 50 % more requests.");
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await dialog.waitFor({ state: "detached" });
  dialog = await choose(page, "a", "Remove…");
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  expect(members(served)).toEqual(unchanged);

  dialog = await choose(page, "a", "Set weight…");
  await dialog.getByLabel("Weight").fill("2");
  await dialog.getByText("a gets about 50 % of the requests of api instead of 33 %.").waitFor();
  await confirm(dialog, "Set weight");
  expect(members(served)).toEqual(["a active 2", "b active 1", "c active 1"]);
  await eventually(() => row(page, "a").locator(".c-weight").textContent()).toBe("2");

  dialog = await choose(page, "a", "Drain…");
  await dialog.getByText("2 of 3 upstreams stay. Each takes about 100 % more requests.").waitFor();
  await confirm(dialog, "Drain");
  expect(members(served)).toEqual(["a draining 2", "b active 1", "c active 1"]);
  await eventually(() => row(page, "a").textContent()).toContain("Draining");

  dialog = await choose(page, "a", "Disable…");
  await dialog.getByText("a gets no requests now").waitFor();
  await confirm(dialog, "Disable");
  expect(members(served)).toEqual(["a disabled 2", "b active 1", "c active 1"]);
  await eventually(() => row(page, "a").textContent()).toContain("Disabled");

  dialog = await choose(page, "a", "Enable…");
  await dialog.getByText("about 50 % of the requests").waitFor();
  await confirm(dialog, "Enable");
  expect(members(served)).toEqual(["a active 2", "b active 1", "c active 1"]);
  await eventually(() => row(page, "a").getAttribute("data-status")).toBe("unchecked");

  dialog = await choose(page, "a", "Remove…");
  expect(await dialog.textContent()).toContain("A reload adds it again");
  await confirm(dialog, "Remove");
  expect(members(served)).toEqual(["b active 1", "c active 1"]);
  await row(page, "a").waitFor({ state: "detached" });

  await page.getByRole("button", { name: "Add an upstream to api" }).click();
  dialog = page.getByRole("dialog");
  await dialog.getByLabel("URL").fill("http://127.0.0.1:4");
  await dialog.getByLabel("Id").fill("d");
  await dialog.getByLabel("Weight").fill("3");
  await dialog.getByText("api has 3 upstreams then. The new one gets about 60 % of the requests").waitFor();
  await confirm(dialog, "Add");
  expect(members(served)).toEqual(["b active 1", "c active 1", "d active 3"]);
  await row(page, "d").waitFor();
});

browserTest("an action that is dangerous says so, and one that fails says why and changes nothing", async () => {
  const served = await serveAdmin({ pools: { api: { upstreams: threeUpstreams.pools.api.upstreams.slice(0, 1) } } });
  const page = await openPage(`http://127.0.0.1:${served.port}/#/api/a`, { expectedErrors: /status of 4\d\d/ });
  const detail = page.getByRole("complementary");
  await detail.getByRole("button", { name: "Disable…" }).click();
  let dialog = page.getByRole("dialog");
  expect(await dialog.textContent()).toContain("No other upstream of api serves. Its requests will fail.");

  // While the dialog is open, another operator adds an upstream: the effect follows.
  await served.send("POST", "/api/pools/api/upstreams", { body: { id: "b", url: "http://127.0.0.1:2" } });
  await dialog.getByText("1 of 2 upstreams stays. It takes about 100 % more requests.").waitFor();
  await dialog.getByRole("button", { name: "Cancel" }).click();

  await page.getByRole("button", { name: "Add an upstream to api" }).click();
  dialog = page.getByRole("dialog");
  await dialog.getByLabel("URL").fill("http://127.0.0.1:3");
  await dialog.getByLabel("Id").fill("b");
  await dialog.getByRole("button", { name: "Add", exact: true }).click();
  const alert = dialog.getByRole("alert");
  await alert.waitFor();
  expect(await alert.textContent()).toMatch(/^Nothing was changed: .*"?b"?/);
  await dialog.getByLabel("Id").fill("c");
  await confirm(dialog, "Add");
  expect(members(served)).toEqual(["a active 1", "b active 1", "c active 1"]);
});
