import { expect, test } from "vitest";
import { serve } from "../support/cli.ts";
import { anyPort, nowhere, poolOf } from "../support/configs.ts";
import { sendRequest, startUpstream } from "../support/http.ts";

test("the command reports them on stderr", async () => {
  const { url, stderr } = await serve(anyPort + poolOf(nowhere));
  for (let count = 0; count < 3; count++) expect((await sendRequest(url)).status).toBe(502);
  expect(await stderr.record(({ level }) => level === "warn")).toMatchObject({
    pool: "app",
    upstream: "a",
    error: "connect_refused",
    msg: expect.stringMatching(/^app\/a failed a request: connect_refused/),
  });
  expect(stderr.records.filter(({ level }) => level === "warn")).toHaveLength(1);
});

test("the command reports nothing about a working upstream", async () => {
  const upstream = await startUpstream((_req, res) => res.end());
  const { url, kill, ended, stderr } = await serve(anyPort + poolOf(upstream.url));
  await sendRequest(url);
  kill("SIGTERM");
  await ended;
  expect(stderr.records.filter(({ level }) => level !== "info")).toEqual([]);
});
