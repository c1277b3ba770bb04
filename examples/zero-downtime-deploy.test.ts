import { EventEmitter, once } from "node:events";
import type { RequestListener } from "node:http";
import { expect, onTestFinished, test } from "vitest";
import { ask, closeServer } from "../packages/core/test/support/adapter-lab.ts";
import { startUpstream } from "../packages/core/test/support/start-upstream.ts";
import { deploy, start } from "./zero-downtime-deploy/main.ts";

test("no request is lost while every upstream is replaced, with any method", async () => {
  const version =
    (name: string): RequestListener =>
    (req, res) => {
      req.resume().on("end", () => setImmediate(() => res.end(name)));
    };
  const upstreams = await Promise.all(["a", "b"].map((id) => startUpstream(id, version("old"))));
  const { port, proxy, server } = await start(
    upstreams.map(({ url }, index) => ({ id: `${index}`, url })),
    0,
  );
  onTestFinished(async () => {
    await proxy.close({ timeout: "0s" });
    await closeServer(server);
  });

  const answers: string[] = [];
  const served = new EventEmitter();
  const several = async () => {
    for (let count = 0; count < 16; count++) await once(served, "answer");
  };
  let deploying = true;
  const load = async () => {
    while (deploying) {
      const { status, body } = await ask(port, { method: "POST", body: "order" });
      answers.push(`${status} ${body}`);
      served.emit("answer");
    }
  };
  const clients = Array.from({ length: 8 }, load);
  await several();
  await deploy(proxy, async (id) => {
    const upstream = upstreams[Number(id)];
    await upstream?.kill();
    await several();
    if (upstream !== undefined) upstream.answer = version("new");
    await upstream?.revive();
  });
  await several();
  deploying = false;
  await Promise.all(clients);

  expect(new Set(answers)).toEqual(new Set(["200 old", "200 new"]));
  expect((await ask(port)).body.toString()).toBe("new");
});
