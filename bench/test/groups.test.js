import { readdirSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { callers, groupOf, groups, outside, partOfFile, parts } from "../profile/groups.js";

const source = path.resolve(import.meta.dirname, "../../packages/core/src");
const files = readdirSync(source, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .map((file) => file.split(path.sep).join("/").slice(0, -".ts".length));
const places = Object.values(parts).flat();

test("every file of the core is in a part of the work, and no place is named twice", () => {
  expect(files.length).toBeGreaterThan(200);
  expect(files.filter((file) => partOfFile(file) === undefined)).toEqual([]);
  expect(places.filter((place, index) => places.indexOf(place) !== index)).toEqual([]);
  expect(Object.keys(parts)).toEqual([...groups, callers, outside]);
});

test("every place that is named exists, and holds files that no nearer place has", () => {
  const used = new Set(files.map((file) => nearest(file)));
  expect(places.filter((place) => !used.has(place))).toEqual([]);
});

test("the client's head is read on the client's side, and shared syntax counts for its caller", () => {
  const core = (file, functionName = "f") => groupOf({ url: `file:///x/packages/core/dist/${file}.js`, functionName });
  expect(core("request/request-head")).toBe("client parsing");
  expect(core("request/request-header-kind")).toBe("client parsing");
  expect(core("http1/header-classifier")).toBeUndefined();
  expect(core("transport/http1/response-parser")).toBe("upstream side");
  expect(core("client/node/node-exchange", "start")).toBe("client parsing");
  expect(core("client/node/node-exchange", "begin")).toBe("writing back");
  expect(core("simulate/simulate")).toBe(outside);
  expect(groupOf({ url: "node:_http_server", functionName: "writeHead" })).toBe("writing back");
  expect(groupOf({ url: "node:net", functionName: "f" })).toBeUndefined();
});

/** The most specific entry that contains a file. */
function nearest(file) {
  const inIt = places.filter((place) => place === file || (place.endsWith("/") && file.startsWith(place)));
  return inIt.toSorted((a, b) => b.length - a.length)[0];
}
