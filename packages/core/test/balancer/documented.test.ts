import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { Balancer } from "../../src/balancer/balancer.ts";
import { policies } from "../../src/balancer/policies.ts";
import { defaults, limits } from "../../src/config/defaults.ts";
import type { Upstream } from "../../src/pool/upstream.ts";
import { poolOf } from "../support/pools.ts";

const text = readFileSync(new URL("../../../../docs/balancing.md", import.meta.url), "utf8");

test("docs/balancing.md lists all policies and no others", () => {
  const [, table = ""] = text.split("## Which policy");
  const [rows = ""] = table.split("## How each works");
  expect([...rows.matchAll(/^\| `([\w-]+)` \|/gm)].map(([, name]) => name)).toEqual(Object.keys(policies));
});

test("the quoted defaults are the defaults", () => {
  const [, table = ""] = text.split("## Defaults");
  const quoted = [...table.matchAll(/^\| `([\w.]+)` \| `(.+)` \|$/gm)];
  expect(quoted.length).toBeGreaterThan(10);
  for (const [, path = "", value = ""] of quoted) {
    const found = path.split(".").reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], defaults);
    expect(found, path).toEqual(JSON.parse(value));
  }
});

test("the scores of the hashing example are correct", () => {
  const { pool, runtime } = poolOf({ a: 1, b: 1, c: 1 });
  const balancer = new Balancer(pool, { policy: "hash" }, runtime);
  const examples = [...text.matchAll(/^ {4}key "([\w-]+)" +(a .*?) +order (.*)$/gm)];
  expect(examples).toHaveLength(3);
  for (const [, key = "", scores = "", order = ""] of examples) {
    const weighed = [...balancer.weigh({ key })].map(
      ([{ id }, { because }]) => `${id} ${/score (\S+)/.exec(because)?.[1]}`,
    );
    expect(scores.split(/ {2,}/)).toEqual(weighed);
    const exclude: Upstream[] = [];
    for (let picked = balancer.pick({ key }); picked !== undefined; picked = balancer.pick({ key, exclude })) {
      exclude.push(picked);
    }
    expect(exclude.map(({ id }) => id).join(", ")).toBe(order);
  }
});

test("the quoted limits are the limits", () => {
  expect(text).toContain(`whole number from 0 to ${limits.maxWeight}`);
  expect(text).toContain(`longer than ${limits.hashKeyLength.toLocaleString("en")}\ncharacters`);
  expect(text).toContain(`| 1/${1 / limits.feedbackFloor} to 1 |`);
  expect(text).toContain(`| 1/${1 / limits.announcedFloor} to 1 |`);
});
