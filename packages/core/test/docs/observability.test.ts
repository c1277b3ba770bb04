import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { type ErrorCode, errorKind } from "../../src/errors.ts";
import { poolEventNames } from "../../src/events.ts";

const page = readFileSync(new URL("../../../../docs/observability.md", import.meta.url), "utf8");
const source = path.join(import.meta.dirname, "../../src");

function section(title: string): string {
  return page.split(`\n## ${title}\n`)[1]?.split("\n## ")[0] ?? "";
}

/** The names in the first column of a section's table. */
function firstColumn(title: string): string[] {
  const rows = section(title).matchAll(/^\| (`[^|]+) \|/gm);
  return [...rows].flatMap(([, cell = ""]) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name));
}

test("the page lists every error code with its source and status", () => {
  const [, codes = ""] =
    /export type ErrorCode =(.*?);/s.exec(readFileSync(path.join(source, "errors.ts"), "utf8")) ?? [];
  const all = [...codes.matchAll(/"(\w+)"/g)].map(([, code]) => code as ErrorCode);
  const rows = [...section("Error codes").matchAll(/^\| the (client|upstream|proxy)[^|]*\| (.*) \|$/gm)];
  const listed = rows.flatMap(([, fault, cell = ""]) =>
    [...cell.matchAll(/`(\w+)` (\d+)/g)].map(([, ...one]) => [...one, fault]),
  );
  const expected = all.map((code) => [code, `${errorKind(code).status}`, errorKind(code).source]);
  expect(listed.toSorted()).toEqual(expected.toSorted());
});

test("the page lists every event", () => {
  const text = readFileSync(path.join(source, "events.ts"), "utf8");
  const names = [...text.matchAll(/^ {2}(\w+): \[\w+Event\];$/gm)].map(([, name]) => name);
  expect(names.length).toBeGreaterThan(10);
  expect(firstColumn("Events").toSorted()).toEqual(names.toSorted());
  expect(names).toEqual(expect.arrayContaining([...poolEventNames]));
});

test("the page lists every debug namespace", () => {
  const files = readdirSync(source, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
  const made = files.flatMap((file) => {
    const text = readFileSync(path.join(source, file), "utf8");
    return [...text.matchAll(/createDebug\("([\w:]+)"\)/g)].map(([, name]) => name);
  });
  expect(firstColumn("Diagnostics").toSorted()).toEqual([...new Set(made), "evenkeel:*"].toSorted());
});

test("the page lists every request flag", () => {
  const text = readFileSync(path.join(source, "events.ts"), "utf8");
  const [, flags = ""] = /export type RequestFlag =(.*?);/.exec(text) ?? [];
  const listed = /^\| `flags` \| (.*) \|$/m.exec(page)?.[1] ?? "";
  expect(listed.match(/\w+/g)?.toSorted()).toEqual(flags.match(/\w+/g)?.toSorted());
});
