import type { Page } from "playwright-core";
import { expect } from "vitest";
import { browserTest, eventually, openPage, useBrowser } from "../support/browser.ts";
import { serveAdmin } from "../support/harness.ts";

useBrowser();

/** The accessible name of what has the focus, or its text. */
const focused = (page: Page) =>
  page.evaluate<string>(
    "(document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent).trim()",
  );

/** Presses Tab until something has the focus. */
async function tabTo(page: Page, name: RegExp, key = "Tab"): Promise<void> {
  for (let presses = 0; presses < 40; presses++) {
    await page.keyboard.press(key);
    if (name.test(await focused(page))) return;
  }
  throw new Error(`${name} cannot be reached; the focus is at ${await focused(page)}`);
}

async function press(page: Page, ...keys: string[]): Promise<void> {
  for (const key of keys) await page.keyboard.press(key);
}

browserTest("an operator finds, inspects and drains an upstream with the keyboard alone", async () => {
  const { port, proxy } = await serveAdmin({
    pools: {
      api: { upstreams: ["a", "b", "c"].map((id, index) => ({ id, url: `http://127.0.0.1:${index + 1}` })) },
      web: { upstreams: [{ id: "w", url: "http://127.0.0.1:9" }] },
    },
    routes: [{ path: "/", pool: "api" }],
  });
  const page = await openPage(`http://127.0.0.1:${port}/`);
  const rows = page.locator("[data-upstream]");
  await eventually(() => rows.count()).toBe(4);

  await press(page, "/");
  expect(await focused(page)).toMatch(/^Filter upstreams/);
  await page.keyboard.type("API/");
  await eventually(() => rows.count()).toBe(3);
  await press(page, "Control+A", "Delete", "Escape");
  await eventually(() => rows.count()).toBe(4);

  // One row of the table is in the tab order, and arrow keys move to the others.
  await tabTo(page, /^api$/);
  await press(page, "ArrowDown", "ArrowDown");
  await eventually(() => focused(page)).toBe("b");
  await press(page, "End");
  await eventually(() => focused(page)).toBe("w");
  await press(page, "Home", "ArrowDown");
  await eventually(() => focused(page)).toBe("a");
  const outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle");
  expect(outline).not.toBe("none");

  await press(page, "Enter");
  await page.getByRole("complementary", { name: "api/a" }).waitFor();
  await eventually(() => focused(page)).toBe("api/a");
  expect(new URL(page.url()).hash).toBe("#/api/a");
  await press(page, "Escape");
  await page.getByRole("complementary").waitFor({ state: "detached" });
  await eventually(() => focused(page)).toBe("a");

  await tabTo(page, /^Actions for api\/a$/);
  await press(page, "Enter");
  await eventually(() => focused(page)).toBe("Set weight…");
  await press(page, "Escape");
  await eventually(() => focused(page)).toBe("Actions for api/a");
  await press(page, "Enter");
  await eventually(() => focused(page)).toBe("Set weight…");
  // Closed and opened again before the browser tells that it was closed.
  await page.evaluate(`(async () => {
    document.querySelector("[popover]").hidePopover();
    for (let turn = 0; turn < 10; turn++) await undefined;
    document.activeElement.click();
  })()`);
  await eventually(() => focused(page)).toBe("Set weight…");
  await press(page, "ArrowDown", "Enter");
  const dialog = page.getByRole("dialog", { name: "Drain api/a" });
  await dialog.waitFor();
  await tabTo(page, /^Drain$/);
  await press(page, "Enter");
  await dialog.waitFor({ state: "detached" });
  expect(proxy.snapshot().pools[0]?.upstreams.map(({ state }) => state)).toEqual(["draining", "active", "active"]);
  await eventually(() => focused(page)).toBe("Actions for api/a");
});
