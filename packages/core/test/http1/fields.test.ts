import { expect, test } from "vitest";
import { toFieldRecord, withoutFields } from "../../src/http1/fields.ts";

const fields = ["Set-Cookie", "a", "X-One", "1", "set-cookie", "b", "__proto__", "p", "SET-COOKIE", "c"];

test("a record has the values of each field in order, by the name in lower case or as first spelled", () => {
  const lower = toFieldRecord(fields, "lower-case");
  expect(Object.entries(lower)).toEqual([
    ["set-cookie", ["a", "b", "c"]],
    ["x-one", "1"],
    ["__proto__", "p"],
  ]);
  expect(Object.keys(toFieldRecord(fields, "first"))).toEqual(["Set-Cookie", "X-One", "__proto__"]);
  expect(Object.hasOwn(Object.prototype, "p")).toBe(false);
});

test("fields are left out by their lower-case name, and the others are appended as they are", () => {
  expect(withoutFields(fields, new Set(["set-cookie"]))).toEqual(["X-One", "1", "__proto__", "p"]);
  expect(withoutFields(["A", "1", "b", "2"], new Set(["b"]), ["Host", "h"])).toEqual(["Host", "h", "A", "1"]);
  expect(withoutFields(fields, new Set())).toEqual(fields);
});
