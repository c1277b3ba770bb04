import { describe, expect, test } from "vitest";
import { startLab } from "../support/forward-lab.ts";
import { scriptedUpstream } from "../support/scripted-upstream.ts";
import { askerOf, clientOf, secret, trio } from "../support/sticky-lab.ts";

describe("the cookie", () => {
  test("is for the session, for every path, and out of reach of scripts", async () => {
    const { ask } = trio({ cookie: "home" });
    expect((await ask()).setCookies).toEqual([
      expect.stringMatching(/^home=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax$/),
    ]);
  });

  test("lasts as long as ttl says", async () => {
    const { ask } = trio({ ttl: "90m" });
    expect((await ask()).setCookies[0]).toMatch(/^evenkeel=[\w-]{43}; Path=\/; Max-Age=5400; HttpOnly; SameSite=Lax$/);
  });

  test.each(["https", "HTTPS", "wss", "https, http"])(
    "is secure when a trusted proxy has taken %s in",
    async (proto) => {
      const { ask } = trio();
      expect((await ask(undefined, { "X-Forwarded-Proto": proto })).setCookies[0]).toMatch(/; Secure$/);
    },
  );

  test("is not made secure by a stranger's word", async () => {
    const { ask } = trio({}, { trustedProxies: [] } as object);
    expect((await ask(undefined, { "X-Forwarded-Proto": "https" })).setCookies[0]).toMatch(/; SameSite=Lax$/);
  });

  test("stands beside the upstream's own, and after what the route takes off", async () => {
    const { url } = scriptedUpstream("a", (request) => {
      request.respond(200, ["Set-Cookie", "a=1", "Set-Cookie", "b=2"]);
    });
    const pools = { app: { upstreams: [url], sticky: { secret } } };
    const kept = askerOf(startLab({ pools }));
    expect((await kept()).setCookies).toEqual(["a=1", "b=2", expect.stringMatching(/^evenkeel=/)]);
    const routes = [{ pool: "app", responseHeaders: { remove: ["Set-Cookie"] } }];
    const taken = askerOf(startLab({ pools, routes }));
    expect((await taken()).setCookies).toEqual([expect.stringMatching(/^evenkeel=/)]);
  });

  test("goes on to the upstream, byte for byte as it came", async () => {
    const { ask, servers } = trio();
    const cookie = await clientOf("b", ask);
    await ask(`x=1;  ${cookie};y="2"`);
    expect(servers["b"]?.received.at(-1)?.headers["cookie"]).toBe(`x=1;  ${cookie};y="2"`);
  });

  test("is set on an answer that is an error, and on none to a probe of the proxy's own", async () => {
    const { url } = scriptedUpstream("a", (request) => request.respond(404));
    const lab = startLab({ upstreams: [url], sticky: { secret } });
    expect((await askerOf(lab)()).setCookies).toHaveLength(1);
    expect((await lab.fetch("/", { method: "TRACE" })).headers["set-cookie"]).toBeUndefined();
  });

  test("holds wherever it stands among others of its name", async () => {
    const { ask } = trio();
    const cookie = await clientOf("b", ask);
    expect(await ask(`evenkeel=planted; ${cookie}`)).toMatchObject({ text: "b", setCookies: [] });
    expect(await ask(`a=1; evenkeel=; evenkeel; ${cookie}; evenkeel=x`)).toMatchObject({ text: "b", setCookies: [] });
    // Only so many are looked at.
    expect((await ask(`${"evenkeel=x; ".repeat(8)}${cookie}`)).setCookies).toHaveLength(1);
  });

  test.each([
    ["empty", ""],
    ["of one character", "x"],
    ["of the right length", "A".repeat(43)],
    ["very long", "A".repeat(12_000)],
    ["of 8-bit bytes", "\xff".repeat(43)],
    ["of what no cookie may hold", '"\\,{}"'],
  ])("that is forged, %s, is replaced", async (_, value) => {
    const { ask } = trio();
    const { status, setCookies } = await ask(`evenkeel=${value}`);
    expect([status, setCookies]).toEqual([200, [expect.stringMatching(/^evenkeel=[\w-]{43};/)]]);
  });

  test("with a last character changed holds no more", async () => {
    const { ask } = trio();
    const cookie = await clientOf("b", ask);
    const other = cookie.slice(0, -1) + (cookie.endsWith("A") ? "E" : "A");
    for (const forged of [other, `${cookie}A`, cookie.slice(0, -1)]) {
      expect((await ask(forged)).setCookies).toHaveLength(1);
    }
  });
});

test("the secret is in no snapshot, event or mistake", async () => {
  const { ask, lab, requests, upstreams } = trio();
  await ask();
  expect(JSON.stringify([lab.snapshot(), requests])).not.toContain(secret);
  for (const mistaken of ["short!", 1234567]) {
    expect(() => lab.reload({ upstreams, sticky: { secret: mistaken as string } })).toThrow(
      expect.objectContaining({ code: "invalid_options", message: expect.not.stringContaining(`${mistaken}`) }),
    );
  }
});
