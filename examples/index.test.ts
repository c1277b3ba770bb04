import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";

const here = import.meta.dirname;
const folders = readdirSync(here, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name !== "node_modules")
  .map(({ name }) => name);

test("the index names every example, and no other", () => {
  const index = readFileSync(path.join(here, "README.md"), "utf8");
  const named = [...index.matchAll(/\]\(([\w-]+)(?:\/main\.ts)?\)/g)].map(([, name]) => name);
  expect(named.toSorted()).toEqual(folders.toSorted());
});

test.each(folders)("%s has at most 40 lines of code in a file", (name) => {
  for (const file of readdirSync(path.join(here, name), { recursive: true, encoding: "utf8" })) {
    if (!/\.(?:ts|js)$/.test(file) || file.startsWith(".run-")) continue;
    const lines = readFileSync(path.join(here, name, file), "utf8").split("\n");
    const code = lines.filter((line) => !/^\s*(?:$|\/\/|\/\*\*|\*)/.test(line));
    expect(code.length, file).toBeLessThanOrEqual(40);
  }
});
