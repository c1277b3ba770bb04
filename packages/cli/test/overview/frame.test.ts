import { stripVTControlCharacters } from "node:util";
import { expect, test } from "vitest";
import { drawAll, drawFrame } from "../../src/top/frame.ts";
import { cutLine, span, toAnsi } from "../../src/top/styled-line.ts";
import { applyKey, splitKeys, type View } from "../../src/top/view.ts";
import { overviewOf, poolOf, troubled, upstreamOf } from "../support/overviews.ts";

const view: View = { sort: "status", pool: null, offset: 0 };
const admin = "http://127.0.0.1:9090";

function textOf(lines: ReturnType<typeof drawFrame>["lines"]): string[] {
  return lines.map((line) =>
    line
      .map(({ text }) => text)
      .join("")
      .trimEnd(),
  );
}

test("a frame shows problems, pools and upstreams", () => {
  const { lines, extent } = drawFrame({ overview: troubled, view, admin }, { columns: 120, rows: 30 });
  expect(`\n${textOf(lines).join("\n")}\n`).toBe(`
evenkeel 1.2.3, up 3m, 12 of 10000 connections  12:00:00Z  http://127.0.0.1:9090
65 requests/s, 1.2 % errors, p50 3.1 ms, p99 152 ms
critical web/web-2 is unhealthy: connect_refused, for 12s
warning  api/a is ejected: failure-ratio, for 5s, until 12:00:25Z

POOL  AVAILABLE  REQ/S  ERRORS     P50     P99  IN FLIGHT     QUEUE  RETRIES/S  POLICY
web   1 of 2        61     0 %  1.5 ms   10 ms          2  0 of 100        0.4  p2c
api   1 of 2         0       -       -       -          0  0 of 100          0  p2c
all                 65   1.2 %  3.1 ms  152 ms

UPSTREAM      STATUS     SINCE     REQ/S   ERRORS      P50      P99  IN FLIGHT  REASON
web/web-2     unhealthy  12s ago       0        -        -        -          0  connect_refused (connect ECONNREFUSED 1…
api/a         ejected    5s ago        4     12 %   152 ms    2.5 s    0 of 10  failure-ratio, until 12:00:25Z
web/web-1     healthy    60m ago      61      0 %   1.2 ms    10 ms          2
api/b         healthy    60m ago       0        -        -        -          0
q quit  s sort: status  p pool: all  arrows scroll  1-4 of 4
`);
  expect(extent).toEqual({ pools: ["web", "api"], upstreams: 4, page: 18 });
});

test("a narrow and low terminal gets the important columns, and no line is too long", () => {
  const { lines } = drawFrame({ overview: troubled, view, admin }, { columns: 50, rows: 10 });
  expect(`\n${textOf(lines).join("\n")}\n`).toBe(`
evenkeel 1.2.3, up 3m, 12 of 10000 connections  1…
65 requests/s, 1.2 % errors, p50 3.1 ms, p99 152 …
critical web/web-2 is unhealthy: connect_refused,…
and 1 more

UPSTREAM      STATUS      REQ/S   ERRORS      P99
web/web-2     unhealthy       0        -        -
api/a         ejected         4     12 %    2.5 s
web/web-1     healthy        61      0 %    10 ms
q quit  s sort: status  p pool: all  arrows scrol…
`);
  for (const columns of [1, 2, 5, 13, 40, 79, 200]) {
    for (const rows of [1, 2, 5, 8, 13, 24]) {
      const drawn = drawFrame({ overview: troubled, view, admin }, { columns, rows }).lines;
      expect(drawn.length).toBeLessThanOrEqual(rows);
      for (const line of textOf(drawn)) expect(line.length).toBeLessThanOrEqual(columns);
    }
  }
});

test("the long name of a pool leaves room for its numbers", () => {
  const overview = overviewOf([poolOf("the-pool-of-the-checkout-of-the-shop-in-north-america", [upstreamOf("a")])]);
  const { lines } = drawFrame({ overview, view, admin }, { columns: 60, rows: 24 });
  expect(textOf(lines).find((line) => line.startsWith("the-pool"))).toMatch(/^the-pool-of-the-checkou… {2}1 of 1 /);
});

test("old numbers are marked", () => {
  const stale = { ms: 12_000, reason: "cannot reach the admin API" };
  const { lines } = drawFrame({ overview: troubled, view, admin, stale }, { columns: 120, rows: 30 });
  expect(textOf(lines)[2]).toBe(
    "NO DATA for 12s: cannot reach the admin API. The numbers below are old; connecting again",
  );
});

test("one pool is shown, and all again when it is gone", () => {
  const names = (pool: string) =>
    textOf(drawAll({ overview: troubled, view: { ...view, pool }, admin })).filter((line) => /^\w+\//.test(line))
      .length;
  expect(names("api")).toBe(2);
  expect(names("gone")).toBe(4);
});

test("many upstreams are scrolled", () => {
  const upstreams = Array.from({ length: 1_000 }, (_, index) => upstreamOf(`u${index}`));
  const overview = overviewOf([poolOf("app", upstreams)]);
  let current: View = view;
  const show = () => {
    const { lines, extent } = drawFrame({ overview, view: current, admin }, { columns: 100, rows: 20 });
    return { extent, place: textOf(lines).at(-1)?.split("  ").at(-1) };
  };
  const places = ["\x1b[6~", "\x1b[B", "k", "G", "j", "\x1b[5~", "g", "\x1b[A"].map((key) => {
    const next = applyKey(current, key, show().extent);
    if (next !== "quit") current = next;
    return show().place;
  });
  expect(places).toEqual([
    "12-22 of 1000",
    "13-23 of 1000",
    "12-22 of 1000",
    "990-1000 of 1000",
    "990-1000 of 1000",
    "979-989 of 1000",
    "1-11 of 1000",
    "1-11 of 1000",
  ]);
});

test("keys sort, choose a pool and quit", () => {
  const extent = { pools: ["web", "api"], upstreams: 4, page: 10 };
  const after = (keys: string) =>
    splitKeys(keys).reduce<View | "quit">((now, key) => (now === "quit" ? now : applyKey(now, key, extent)), view);
  expect(after("s")).toEqual({ ...view, sort: "rate" });
  expect(after("S")).toEqual({ ...view, sort: "name" });
  expect(after("sS")).toEqual(view);
  expect(after("p")).toEqual({ ...view, pool: "web" });
  expect(after("ppp")).toEqual(view);
  expect(after("P")).toEqual({ ...view, pool: "api" });
  expect(after("x\x1b\x1b[99;1~\x1b[200~é")).toEqual(view);
  for (const key of ["q", "Q", "\x03", "\x04", "s\x1b[Bq"]) expect(after(key)).toBe("quit");
});

test("control characters in a name do not reach the terminal", () => {
  const overview = overviewOf([poolOf("\x1b[2J", [upstreamOf("a\nb", { reason: "\x07" })])]);
  const lines = drawAll({ overview, view, admin }).map((line) => toAnsi(line, true));
  expect(stripVTControlCharacters(lines.join(""))).not.toMatch(/\p{Cc}/u);
  expect(lines.join("")).not.toContain("\x1b[2J");
});

test("a cut line keeps its styles", () => {
  const line = [span("abc", "red"), span("defg")];
  expect(cutLine(line, 7)).toEqual(line);
  expect(
    [6, 4, 3, 1, 0].map((columns) =>
      cutLine(line, columns)
        .map(({ text }) => text)
        .join(""),
    ),
  ).toEqual(["abcde…", "abc…", "ab…", "…", ""]);
  expect(toAnsi(line, true)).toBe("\x1b[1;31mabc\x1b[0mdefg");
});
