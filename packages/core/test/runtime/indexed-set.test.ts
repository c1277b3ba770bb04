import { describe, expect, test } from "vitest";
import { IndexedSet, type Listed } from "../../src/runtime/indexed-set.ts";
import { agedBytes } from "../support/memory.ts";

interface Member extends Listed {
  readonly name: string;
}

function rosterOf(...names: string[]) {
  const roster = new IndexedSet<Member>();
  const members = names.map((name): Member => ({ name }));
  for (const member of members) roster.add(member);
  const listed = () => {
    const found: string[] = [];
    roster.forEach(({ name }) => {
      found.push(name);
    });
    return found.sort().join("");
  };
  const at = (index: number) => members[index] as Member;
  return { roster, at, listed };
}

describe("a roster", () => {
  test("holds each member once", () => {
    const { roster, at, listed } = rosterOf("a", "b");
    roster.add(at(0));
    expect(roster.size).toBe(2);
    expect(listed()).toBe("ab");
  });

  test.each([0, 1, 2])("loses the member at place %i and no other", (index) => {
    const { roster, at, listed } = rosterOf("a", "b", "c");
    roster.delete(at(index));
    roster.delete(at(index));
    expect(roster.has(at(index))).toBe(false);
    expect(listed()).toBe("abc".replace(at(index).name, ""));
    roster.add(at(index));
    expect(listed()).toBe("abc");
  });

  test("does not take a stranger at the place of a member for one", () => {
    const { roster, listed } = rosterOf("a");
    const other = rosterOf("x");
    roster.delete(other.at(0));
    expect(roster.has(other.at(0))).toBe(false);
    expect(listed()).toBe("a");
  });

  test("visits everybody once, whoever leaves or comes meanwhile, but nobody who has left", () => {
    const { roster, at } = rosterOf("a", "b", "c", "d");
    const visited: string[] = [];
    roster.forEach(({ name }) => {
      visited.push(name);
      if (name !== "a") return;
      roster.delete(at(0));
      roster.delete(at(2));
      roster.add({ name: "e" });
    });
    expect(visited).toEqual(["a", "b", "d"]);
  });

  test("lets the garbage collector have who has left, also after a full collection", () => {
    const members = () =>
      Array.from({ length: 64 }, (): Member & { load: number[] } => ({ name: "", load: Array(500).fill(0.5) }));
    const roster = new IndexedSet<Member>();
    let present = members();
    for (const member of present) roster.add(member);
    const grown = agedBytes(() => {
      const next = members();
      for (const [index, member] of present.entries()) {
        roster.add(next[index] as Member);
        roster.delete(member);
      }
      present = next;
    });
    // A set would have kept nearly all of the 25 MB that have come and gone.
    expect(grown).toBeLessThan(5_000_000);
  });
});
