import { expect, onTestFinished, test, vi } from "vitest";
import { ask, startUpstream } from "../packages/core/test/support/adapter-lab.ts";
import { refusingUrl } from "../packages/core/test/support/refusing-port.ts";
import { start } from "./outbound/main.ts";

test("the app's own requests fail over when an upstream is down, like proxied ones", async () => {
  vi.stubEnv("USERS_1", await refusingUrl());
  vi.stubEnv("USERS_2", (await startUpstream("two")).url);
  onTestFinished(() => void vi.unstubAllEnvs());
  const { port, close } = await start(0);
  onTestFinished(close);

  for (let count = 0; count < 4; count++) {
    const page = await ask(port);
    expect([page.status, page.body.toString()]).toEqual([200, expect.stringMatching(/^the first user is .*two/)]);
    expect((await ask(port, { path: "/users/1" })).status).toBe(200);
  }
});
