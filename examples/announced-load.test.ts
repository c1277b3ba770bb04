import { expect, onTestFinished, test, vi } from "vitest";
import { startProxy, startUpstream } from "./announced-load/main.ts";

test("an upstream that announces its load gets a smaller share", async () => {
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  onTestFinished(() => log.mockRestore());
  const calm = await startUpstream("calm", { loadOf: () => 0 });
  const busy = await startUpstream("busy", { loadOf: () => 0.9 });
  const proxy = await startProxy([calm.url, busy.url], 0);
  onTestFinished(async () => {
    await Promise.all([proxy.close(), calm.close(), busy.close()]);
  });
  const ask = async () => {
    const answer = await fetch(proxy.url);
    expect(answer.headers.has("x-evenkeel-load")).toBe(false);
    return answer.text();
  };

  while ((await ask()) !== "busy\n");
  const answers = [];
  for (let count = 0; count < 100; count++) answers.push(await ask());
  expect(answers.filter((name) => name === "busy\n").length).toBeLessThan(30);
  expect(log).toHaveBeenCalledWith(expect.stringContaining("it announces a load of 0.9"));
});
