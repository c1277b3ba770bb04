import { expect, test } from "vitest";
import { startLab } from "../support/forward-lab.ts";
import { scriptedUpstream } from "../support/scripted-upstream.ts";

/** Longer than every pause before the retries of one request. */
const allPausesMs = 10_000;

test("a client that leaves between two attempts stops the next one", async () => {
  const bad = scriptedUpstream("bad", (request) => request.fail("reset"));
  const good = scriptedUpstream("good");
  const lab = startLab({ upstreams: [{ url: bad.url }, { url: good.url, backup: true }] });
  const client = lab.begin();
  lab.once("retry", () => client.leave());
  await lab.clock.advanceAsync(allPausesMs);
  expect(lab.requests).toMatchObject([{ status: 499, error: "client_aborted", flags: ["retried"] }]);
  expect([bad.received.length, good.received.length]).toEqual([1, 0]);
});
