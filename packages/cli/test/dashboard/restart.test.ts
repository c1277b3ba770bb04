import { writeFileSync } from "node:fs";
import { expect } from "vitest";
import { browserTest, eventually, openPage, useBrowser } from "../../../admin/test/support/browser.ts";
import { publishedBin, serve } from "../support/cli.ts";
import { anyPort, nowhere, poolOf, withAdmin } from "../support/configs.ts";
import { serveRestartable } from "../support/restart.ts";

useBrowser();

browserTest("the page follows reloads, a restart in place and the death of the process", async () => {
  const served = await serveRestartable(anyPort + withAdmin + poolOf(nowhere), { bin: publishedBin });
  const page = await openPage(served.admin, { expectedErrors: /ERR_/ });
  const state = () => page.evaluate("document.documentElement.dataset.state");
  const row = (id: string) => page.locator(`[data-pool="app"][data-upstream="${id}"]`);
  const status = page.getByRole("region", { name: "Status" });
  const events = page.getByRole("region", { name: "Events" });
  await row("a").waitFor();
  await eventually(state).toBe("live");

  writeFileSync(served.config, "[pools");
  served.signal("SIGHUP");
  await events.getByText("A reload was rejected").waitFor();
  await status.getByRole("heading", { name: /reload/ }).waitFor();
  writeFileSync(served.config, anyPort + withAdmin + poolOf(nowhere, nowhere));
  served.signal("SIGHUP");
  await row("b").waitFor();
  await events.getByText("The configuration was reloaded").waitFor();
  await status.getByRole("heading", { name: "All healthy" }).waitFor();

  writeFileSync(served.config, anyPort + withAdmin + poolOf(nowhere, nowhere, nowhere));
  await served.restart("admin");
  await row("c").waitFor();
  expect(await state()).toBe("live");

  served.signal("SIGKILL");
  await eventually(state).toBe("stale");
  await page.getByRole("alert").getByText("Not up to date.").waitFor();
  await serve(`${anyPort}[admin]\nlisten = "${new URL(served.admin).host}"\n${poolOf(nowhere)}`, { bin: publishedBin });
  await eventually(state).toBe("live");
  await row("c").waitFor({ state: "detached" });
  await row("a").waitFor();
});
