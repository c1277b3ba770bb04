import { describe, expect, test } from "vitest";
import type { HashKey, PoolSettings } from "../../src/config/options.ts";
import type { PickContext, Policy } from "../../src/policy.ts";
import { startLab } from "../support/forward-lab.ts";
import { scriptedUpstream } from "../support/scripted-upstream.ts";

/** A policy that notes the keys it is given. */
class KeyKeeper implements Policy {
  readonly name = "key-keeper";
  readonly keys: (string | undefined)[] = [];

  pick({ candidates, key }: PickContext) {
    this.keys.push(key);
    return candidates[0] as (typeof candidates)[number];
  }
}

/** What a policy of the user's own gets to see of a request with these header lines. */
async function keyOf(hashOn: HashKey, target: string, lines: readonly string[] = [], options = {}) {
  const balance = new KeyKeeper();
  const lab = startLab({ upstreams: [scriptedUpstream("a").url], balance, hashOn, ...options });
  const headers = lines.flatMap((line) => {
    const [, name = "", value = ""] = /^([^:]+): ?(.*)$/s.exec(line) ?? [];
    return [name, value];
  });
  expect((await lab.fetch(target, { headers })).status).toBe(200);
  return balance.keys[0];
}

/** Five upstreams behind two proxies that know nothing of each other. */
function pairOfProxies(settings: PoolSettings) {
  const names = ["a", "b", "c", "d", "e"];
  const upstreams = names.map((id) => ({ id, url: scriptedUpstream(id).url }));
  const options = { upstreams, balance: "hash", trustedProxies: ["127.0.0.1"], ...settings } as const;
  const proxies = [startLab(options), startLab({ ...options, upstreams: upstreams.toReversed() })];
  /** Who responds, by the one and by the other. */
  return (path: string, headers: Record<string, string> = {}) =>
    Promise.all(proxies.map(async (lab) => (await lab.fetch(path, { headers })).text));
}

describe("two proxies send the same key to the same upstream, and not all keys to one", () => {
  test.each<[HashKey, (key: string) => [path: string, headers?: Record<string, string>]]>([
    ["client-ip", (key) => ["/", { "X-Forwarded-For": `10.0.0.${key}` }]],
    ["path", (key) => [`/items/${key}?${key === "1" ? "x" : "y"}`]],
    ["header:x-user-id", (key) => ["/", { "X-User-Id": key }]],
    ["cookie:session", (key) => ["/", { Cookie: `other=1; session=${key}` }]],
    ["query:user", (key) => [`/?page=2&user=${key}`]],
  ])("%s", async (hashOn, request) => {
    const ask = pairOfProxies({ hashOn });
    const seen = new Set<string>();
    for (let key = 1; key <= 20; key++) {
      const [one, other] = await ask(...request(`${key}`));
      expect([other, (await ask(...request(`${key}`)))[0]]).toEqual([one, one]);
      seen.add(one as string);
    }
    expect(seen.size).toBeGreaterThan(2);
  });

  test("the path's key has nothing of the query", async () => {
    const ask = pairOfProxies({ hashOn: "path" });
    const answers = [];
    for (let page = 0; page < 10; page++) answers.push(...(await ask(`/items?page=${page}`)));
    expect(new Set(answers).size).toBe(1);
  });
});

describe("the key is", () => {
  test.each<[string, HashKey, string, string[], string | undefined]>([
    ["the peer's address", "client-ip", "/", ["X-Forwarded-For: 10.0.0.1"], "127.0.0.1"],
    ["the path as it came", "path", "/a%2Fb//c?d", [], "/a%2Fb//c"],
    ["a header's value, whatever the case of its name", "header:X-USER", "/", ["x-User: Jo"], "Jo"],
    ["the first of repeated headers", "header:x-user", "/", ["X-User: 1", "X-User: 2"], "1"],
    ["a header's bytes as they came", "header:x-user", "/", ["X-User: \xe9"], "\xe9"],
    ["the host", "header:host", "/", [], "h"],
    ["not what a stranger says of forwarding", "header:x-real-ip", "/", ["X-Real-IP: 10.0.0.1"], undefined],
    ["not a header that Connection takes along", "header:x-user", "/", ["Connection: x-user", "X-User: 1"], undefined],
    ["a cookie's value", "cookie:id", "/", ["Cookie: a=1; id=2;id=3"], "2"],
    ["that of the second line", "cookie:id", "/", ["Cookie: a=1", "Cookie: id=4"], "4"],
    ["not that of a cookie in another case", "cookie:id", "/", ["Cookie: ID=1"], undefined],
    ["not that of a longer name", "cookie:id", "/", ["Cookie: xid=1; id2=2; id"], undefined],
    ["a cookie's value with what is in it", "cookie:id", "/", ['Cookie: id="a=b%20"'], '"a=b%20"'],
    ["a parameter's value, not decoded", "query:id", "/?a=id=9&id=%41+b=c&id=2", [], "%41+b=c"],
    ["not a parameter in another case", "query:id", "/?ID=1&%69d=2&id", [], undefined],
    ["none where the header is empty", "header:x-user", "/", ["X-User:"], undefined],
    ["none where the parameter is empty", "query:id", "/?id=&x", [], undefined],
    ["none without a query", "query:id", "/", [], undefined],
  ])("%s", async (_, hashOn, target, lines, expected) => {
    expect(await keyOf(hashOn, target, lines)).toBe(expected);
  });

  test("what a trusted proxy says of the client", async () => {
    const trusted = { trustedProxies: ["127.0.0.1"] };
    const lines = ["X-Forwarded-For: 10.0.0.1", "X-Real-IP: 10.0.0.2"];
    expect(await keyOf("client-ip", "/", lines, trusted)).toBe("10.0.0.1");
    expect(await keyOf("header:x-real-ip", "/", lines, trusted)).toBe("10.0.0.2");
  });

  test("what onRequest makes of it", async () => {
    const balance = new KeyKeeper();
    const onRequest = ({ headers }: { headers: { set(name: string, value: string): void } }) =>
      headers.set("X-User", "hooked");
    const upstreams = [scriptedUpstream("a").url];
    await startLab({ upstreams, balance, hashOn: "header:x-user" }, { onRequest }).fetch();
    expect(balance.keys).toEqual(["hooked"]);
  });
});

test("a request without a key goes by weight", async () => {
  const ask = pairOfProxies({ hashOn: "header:x-user" });
  const seen = new Set<string>();
  for (let count = 0; count < 50 && seen.size < 5; count++) for (const name of await ask("/")) seen.add(name);
  expect([...seen].sort()).toEqual(["a", "b", "c", "d", "e"]);
});
