import { describe, expect, test } from "vitest";
import { IndexedSet, type IndexedSetMember } from "../../src/runtime/indexed-set.ts";
import { agedBytes } from "../support/memory.ts";

interface Member extends IndexedSetMember {
  readonly name: string;
}

function setOf(...all: string[]) {
  const set = new IndexedSet<Member>();
  const members = all.map((name): Member => ({ name }));
  for (const member of members) set.add(member);
  const names = () => {
    const found: string[] = [];
    set.forEach(({ name }) => {
      found.push(name);
    });
    return found.sort().join("");
  };
  const at = (index: number) => members[index] as Member;
  return { set, at, names };
}

describe("an indexed set", () => {
  test("holds each member once", () => {
    const { set, at, names } = setOf("a", "b");
    set.add(at(0));
    expect(set.size).toBe(2);
    expect(names()).toBe("ab");
  });

  test.each([0, 1, 2])("deletes the member at index %i and no other", (index) => {
    const { set, at, names } = setOf("a", "b", "c");
    set.delete(at(index));
    set.delete(at(index));
    expect(set.has(at(index))).toBe(false);
    expect(names()).toBe("abc".replace(at(index).name, ""));
    set.add(at(index));
    expect(names()).toBe("abc");
  });

  test("does not contain a member of another set with the same index", () => {
    const { set, names } = setOf("a");
    const other = setOf("x");
    set.delete(other.at(0));
    expect(set.has(other.at(0))).toBe(false);
    expect(names()).toBe("a");
  });

  test("visits each member once, except those added or deleted during the visit", () => {
    const { set, at } = setOf("a", "b", "c", "d");
    const visited: string[] = [];
    set.forEach(({ name }) => {
      visited.push(name);
      if (name !== "a") return;
      set.delete(at(0));
      set.delete(at(2));
      set.add({ name: "e" });
    });
    expect(visited).toEqual(["a", "b", "d"]);
  });

  test("lets scavenges free deleted members, also after a full collection", () => {
    const members = () =>
      Array.from({ length: 64 }, (): Member & { load: number[] } => ({ name: "", load: Array(500).fill(0.5) }));
    const set = new IndexedSet<Member>();
    let present = members();
    for (const member of present) set.add(member);
    const grown = agedBytes(() => {
      const next = members();
      for (const [index, member] of present.entries()) {
        set.add(next[index] as Member);
        set.delete(member);
      }
      present = next;
    });
    // A Set retains nearly all of the 25 MB of deleted members.
    expect(grown).toBeLessThan(5_000_000);
  });
});
