import { expect, test } from "vitest";
import { serve } from "../support/cli.ts";
import { anyPort, poolOf, withAdmin } from "../support/configs.ts";
import { RawClient, sendRequest, startUpstream } from "../support/http.ts";

const isDelayed = ({ drainDelayMs }: Readonly<Record<string, unknown>>) => drainDelayMs !== undefined;
const isStopping = ({ msg }: { readonly msg?: string }) => msg?.startsWith("stopping") === true;

test("until drainDelay has passed everything is served, and only /readyz is 503", async () => {
  const upstream = await startUpstream((_req, res) => res.end("hello"));
  const { url, port, admin, kill, ended, stderr, stdout } = await serve(
    `${anyPort}drainDelay = "700ms"\n${withAdmin}${poolOf(upstream.url)}`,
  );
  const kept = await RawClient.open(port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  await kept.until(/hello$/);
  kill("SIGTERM");
  await stderr.record(isDelayed);
  const ready = await sendRequest(admin, { path: "/readyz" });
  expect(ready).toMatchObject({ status: 503, text: expect.stringContaining("draining") });
  expect((await sendRequest(admin, { path: "/healthz" })).status).toBe(200);
  const responses = await Promise.all([sendRequest(url), sendRequest(url)]);
  expect(responses.map(({ text }) => text)).toEqual(["hello", "hello"]);
  kept.received = "";
  kept.socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  await kept.until(/hello$/);
  expect(kept.received).not.toContain("Connection: close");
  expect(stderr.records.some(isStopping)).toBe(false);
  await stderr.record(isStopping);
  await kept.closed;
  await expect(sendRequest(url)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  expect(await ended).toEqual({ code: 0, signal: null });
  expect(stdout.lines).toHaveLength(4);
});

test("a second signal ends the delay, a third one the requests in flight", async () => {
  const upstream = await startUpstream(() => {});
  const { url, kill, ended, stderr, stdout } = await serve(`${anyPort}drainDelay = "1h"\n${poolOf(upstream.url)}`);
  kill("SIGTERM");
  await stderr.record(isDelayed);
  const unfinished = sendRequest(url).then(
    ({ status }) => status,
    () => "cut off",
  );
  await new Promise((resolve) => void upstream.server.once("request", resolve));
  kill("SIGINT");
  expect(await stderr.record(isStopping)).toMatchObject({ inFlight: 1 });
  kill("SIGTERM");
  expect([503, "cut off"]).toContain(await unfinished);
  expect(await ended).toEqual({ code: 0, signal: null });
  expect(stdout.lines).toHaveLength(1);
});
