import { describe, expect, it } from "vitest";
import { isTable, mergeKeys, mergeTables } from "../../src/config/merge.ts";

describe("mergeKeys", () => {
  it("lets own keys override those of the base", () => {
    expect(mergeKeys({ a: 1, b: 2 }, { b: 3, c: 4 })).toEqual({ a: 1, b: 3, c: 4 });
  });

  it("treats undefined as absent", () => {
    expect(mergeKeys({ a: 1 }, { a: undefined })).toEqual({ a: 1 });
  });

  it("keeps false, zero and the empty string", () => {
    expect(mergeKeys({ a: true, b: 1, c: "x" }, { a: false, b: 0, c: "" })).toEqual({ a: false, b: 0, c: "" });
  });

  it("does not change a prototype", () => {
    const result = mergeKeys({}, JSON.parse('{"__proto__":{"polluted":1}}'));
    expect(Object.getPrototypeOf(result)).toBe(Object.prototype);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });
});

describe("mergeTables", () => {
  it("merges tables and replaces everything else", () => {
    const base = { retry: { attempts: 3, budget: 1 }, list: [1, 2], only: "base" };
    const own = { retry: { attempts: 1 }, list: [3] } as unknown as typeof base;
    expect(mergeTables(base, own)).toEqual({ retry: { attempts: 1, budget: 1 }, list: [3], only: "base" });
  });

  it("changes neither argument", () => {
    const base = Object.freeze({ a: Object.freeze({ x: 1 }) });
    mergeTables<{ a: { x?: number; y?: number } }>(base, Object.freeze({ a: Object.freeze({ y: 2 }) }));
    expect(base).toEqual({ a: { x: 1 } });
  });
});

describe("isTable", () => {
  it.each([[{}], [Object.create(null)]])("is true for an object", (value) => {
    expect(isTable(value)).toBe(true);
  });

  it.each([[null], [undefined], [[]], ["x"], [1]])("is false for %j", (value) => {
    expect(isTable(value)).toBe(false);
  });
});
