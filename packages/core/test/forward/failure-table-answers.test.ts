/** The table of failures, 11: the rest of 7 to 11 needs sockets. See test/http/failure-table.test.ts. */

import { expect, test } from "vitest";
import { play, post } from "../support/scripted-scene.ts";
import { scriptedUpstream } from "../support/scripted-upstream.ts";

test("11 an error that the options name is asked of another upstream instead, where the method allows", async () => {
  const [busy, good] = [
    scriptedUpstream("busy", (request) => request.whenEnded(() => request.respond(503, [], "busy"))),
    scriptedUpstream("good"),
  ];
  const scene = { upstreams: [busy, good], settings: { retry: { on: ["503"] } } } as const;
  expect(await play(scene)).toMatchObject({
    client: [200],
    attempts: ["a 503", "b 200"],
    flags: ["retried"],
    blamed: [],
  });
  expect(await play({ ...scene, request: post })).toMatchObject({ client: [503], attempts: ["a 503"], flags: [] });
});
