import { expect, test } from "vitest";
import { heatsOf } from "../contenders/heats.js";
import { contenders } from "../contenders/list.js";
import { split } from "../profile/split.js";
import { median, medianRatio } from "../report/statistics.js";
import { tableOf, toMarkdown } from "../report/tables.js";
import { targetRows } from "../report/targets.js";

const core = "file:///somewhere/packages/core/dist";

test("self time counts for the part of its file, or of whoever called", () => {
  const node = (id, functionName, url, children = []) => ({ id, callFrame: { functionName, url }, children });
  const nodes = [
    node(1, "(root)", "", [2, 6, 7, 8]),
    node(2, "parserOnHeadersComplete", "node:_http_common", [3]),
    node(3, "pick", `${core}/balancer/balancer.js`, [4]),
    node(4, "write", `${core}/transport/http1/connection.js`, [5]),
    node(5, "writev", ""),
    node(6, "(garbage collector)", ""),
    node(7, "(idle)", ""),
    node(8, "(program)", ""),
  ];
  const profile = { nodes, startTime: 100, samples: [2, 3, 4, 5, 6, 7, 8], timeDeltas: [0, 10, 20, 30, 40, 50, 60] };
  expect(split(profile, 0, Number.POSITIVE_INFINITY)).toEqual({
    "client parsing": 10,
    "routing and balancing": 20,
    "upstream side": 30 + 40,
    observing: 0,
    "writing back": 0,
    "sockets and event loop, for either side": 0,
    "garbage collection": 50,
  });
  expect(split(profile, 105, 115)["client parsing"]).toBe(0);
});

test("ratios are taken round by round", () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 3])).toBe(2.5);
  expect(medianRatio([10, 40, 30], [10, 20, 10])).toBe(2);
});

test("targets say by how much they are missed, and leave out what has not been measured", () => {
  const first = { cli: { cpu: [10], p99: [] }, nginx: { failed: "no such file" } };
  const second = {
    core: { cpu: [40, 40] },
    undici: { cpu: [20, 40] },
    "http-proxy-agent": { cpu: [100, 100] },
  };
  const [, ...rows] = targetRows({ small: { heats: [{ contenders: first }, { contenders: second }] } });
  expect(rows.map(([, ...figures]) => figures)).toEqual([
    ["0.85", "1.50 (1.00 to 2.00)", "missed by 76 %"],
    ["0.5", "0.40 (0.40 to 0.40)", "met"],
  ]);
});

test("a contender that failed says so in its row", () => {
  const contenders = {
    core: { cpu: [10], rate: [1_234], busy: [0.5], peakRss: 5e7, p50: [], p99: [] },
    nginx: { failed: "gone\nat line 1" },
  };
  const table = toMarkdown(tableOf({ name: "1k", heats: [{ contenders }] }, "core"));
  expect(table).toContain("| Evenkeel under node:http | base | 10.0 | 1,234 | 50 % | 50 |");
  expect(table).toContain("| failed: gone |");
});

test("heats have four contenders at most, and every contender runs", () => {
  const heats = heatsOf(contenders);
  expect(heats.every((heat) => heat.length <= 4)).toBe(true);
  expect(new Set(heats.flat())).toEqual(new Set(contenders));
  expect(heatsOf(contenders.slice(0, 4))).toEqual([contenders.slice(0, 4)]);
});
