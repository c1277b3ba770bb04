import axe from "axe-core";
import type { Page } from "playwright-core";
import { expect } from "vitest";
import { refusingUrl } from "../../../core/test/support/refusing-port.ts";
import { startUpstream } from "../../../core/test/support/start-upstream.ts";
import { browserTest, eventually, openPage, signIn, useBrowser } from "../support/browser.ts";
import { serve, serveAdmin } from "../support/harness.ts";

useBrowser();

interface Finding {
  readonly id: string;
  readonly impact: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
}

/** Without what is not reported. */
const quick = { resultTypes: ["violations"], preload: false, iframes: false };

/** The serious and critical findings of axe. The checker is evaluated by the debugger, so the policy of the page holds. */
async function findings(page: Page, view: string, options: object = {}): Promise<readonly string[]> {
  const { violations } = await page.evaluate<{ violations: readonly Finding[] }>(
    `axe.run(${JSON.stringify({ ...quick, ...options })})`,
  );
  const grave = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  return grave.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${view}: ${id} at ${html}: ${failureSummary}`),
  );
}

const overflow = (page: Page) =>
  page.evaluate<number>("document.documentElement.scrollWidth - document.documentElement.clientWidth");

/** What cannot be seen at one of the widths of a window: the path of a failed request, the buttons of a row, a whole probe. */
async function cutAt(page: Page, widths: readonly number[]): Promise<readonly string[]> {
  const cut: string[] = [];
  for (const width of widths) {
    await page.setViewportSize({ width, height: 900 });
    const found = await page.evaluate<Readonly<Record<string, boolean>>>(`(() => {
      const box = (selector) => document.querySelector(selector).getBoundingClientRect();
      const probes = [...document.querySelectorAll(".probe")].filter((probe) => probe.clientWidth > 0);
      return {
        path: box("td.f-request").width < 90,
        buttons: box(".upstream .c-menu button").right > box(".table-scroll").right,
        probe: probes.some((probe) => probe.scrollWidth > probe.clientWidth),
      };
    })()`);
    cut.push(
      ...Object.keys(found)
        .filter((part) => found[part])
        .map((part) => `${part} at ${width}`),
    );
  }
  await page.setViewportSize({ width: 1_400, height: 900 });
  return cut;
}

browserTest("every view passes axe in light and dark, moves nothing, and fits a phone", async () => {
  const upstream = await startUpstream("a", (req, res) => void res.writeHead(req.url === "/" ? 200 : 500).end());
  const { port, proxy, server } = await serveAdmin(
    {
      pools: {
        api: {
          healthCheck: { interval: "1s" },
          upstreams: [
            { id: "a", url: upstream.url },
            { id: "an-upstream-with-a-long-name.of.a.cluster.example:8080", url: await refusingUrl() },
            { id: "c", url: upstream.url },
            { id: "d", url: upstream.url, backup: true, maxInFlight: 10 },
          ],
        },
        web: { upstreams: ["http://127.0.0.1:1"] },
      },
      routes: [{ path: "/", pool: "api" }],
    },
    { token: "the-token" },
  );
  proxy.pools.get("api")?.setState("c", "draining");
  const front = await serve(proxy.handler);
  for (let count = 0; count < 30; count++)
    await front.send("GET", count % 3 === 0 ? "/" : `/${"a-long-path/".repeat(20)}`);
  const page = await openPage(`http://127.0.0.1:${port}/`, { expectedErrors: /status of 401|ERR_/ });
  await page.evaluate(axe.source);
  const found: string[] = [];
  const phone = { width: 375, height: 740 };
  const desktop = { width: 1_400, height: 900 };
  const check = async (view: string) => {
    found.push(...(await findings(page, view)));
    await page.emulateMedia({ colorScheme: "dark" });
    // The other rules do not depend on colours.
    found.push(...(await findings(page, `${view}, dark`, { runOnly: ["color-contrast"] })));
    await page.setViewportSize(phone);
    await eventually(() => overflow(page), `${view} fits a phone`).toBe(0);
    found.push(...(await findings(page, `${view}, on a phone`)));
    expect(await page.evaluate("document.getAnimations().length")).toBe(0);
    await page.emulateMedia({ colorScheme: "light" });
    await page.setViewportSize(desktop);
  };

  await page.getByLabel("Token", { exact: true }).waitFor();
  await check("sign-in");
  await signIn(page, "the-token");
  await page.getByRole("region", { name: "Recent failed requests" }).getByRole("row").nth(2).waitFor();
  await page.locator('[data-status="unhealthy"]').waitFor();
  await check("overview");
  expect(await cutAt(page, [820, 1_000, 1_200, 1_280, 1_320, 1_400])).toEqual([]);
  await page.getByRole("button", { name: "Actions for api/a", exact: true }).click();
  await page.getByRole("menu").waitFor();
  found.push(...(await findings(page, "menu")));
  await page.getByRole("menuitem", { name: "Set weight…" }).click();
  await page.getByRole("dialog").waitFor();
  await check("dialog");
  await page.keyboard.press("Escape");
  await page.locator('[data-upstream="a"] .row-link').click();
  await page.getByRole("complementary").locator("canvas").first().waitFor();
  const explain = page.getByRole("region", { name: "Explain a request" });
  await explain.getByRole("button", { name: "Explain" }).click();
  await explain.getByRole("listitem").first().waitFor();
  await check("detail");
  server.closeAllConnections();
  server.close();
  await page.getByRole("alert").getByText("Not up to date").waitFor();
  await check("stale data");
  expect(found).toEqual([]);
});

browserTest("the theme is that of the system until an operator chooses another, and the choice stays", async () => {
  const { port } = await serveAdmin({ upstreams: ["http://127.0.0.1:1"] });
  const page = await openPage(`http://127.0.0.1:${port}/`);
  const background = () => page.evaluate<string>("getComputedStyle(document.documentElement).backgroundColor");
  await page.locator("[data-upstream]").waitFor();
  const light = await background();
  await page.emulateMedia({ colorScheme: "dark" });
  const dark = await background();
  expect(dark).not.toBe(light);
  await page.getByRole("button", { name: "Theme of the system, change" }).click();
  expect(await background()).toBe(light);
  await page.getByRole("button", { name: "Light theme, change" }).waitFor();
  await page.reload();
  expect(await background()).toBe(light);
  expect(await page.evaluate("Object.keys(localStorage)")).toEqual(["evenkeel-theme"]);
});
