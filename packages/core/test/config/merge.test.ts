import { describe, expect, it } from "vitest";
import { isTable, layOver, layOverDeep } from "../../src/config/merge.ts";

describe("layOver", () => {
  it("puts the own keys in front", () => {
    expect(layOver({ a: 1, b: 2 }, { b: 3, c: 4 })).toEqual({ a: 1, b: 3, c: 4 });
  });

  it("takes an undefined key for one that is left out", () => {
    expect(layOver({ a: 1 }, { a: undefined })).toEqual({ a: 1 });
  });

  it("keeps false, zero and the empty string", () => {
    expect(layOver({ a: true, b: 1, c: "x" }, { a: false, b: 0, c: "" })).toEqual({ a: false, b: 0, c: "" });
  });

  it("cannot be made to change a prototype", () => {
    const result = layOver({}, JSON.parse('{"__proto__":{"polluted":1}}'));
    expect(Object.getPrototypeOf(result)).toBe(Object.prototype);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });
});

describe("layOverDeep", () => {
  it("lays tables over tables and replaces everything else", () => {
    const base = { retry: { attempts: 3, budget: 1 }, list: [1, 2], only: "base" };
    const own = { retry: { attempts: 1 }, list: [3] } as unknown as typeof base;
    expect(layOverDeep(base, own)).toEqual({ retry: { attempts: 1, budget: 1 }, list: [3], only: "base" });
  });

  it("changes neither of them", () => {
    const base = Object.freeze({ a: Object.freeze({ x: 1 }) });
    layOverDeep<{ a: { x?: number; y?: number } }>(base, Object.freeze({ a: Object.freeze({ y: 2 }) }));
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
