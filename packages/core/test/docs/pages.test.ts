import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";

const root = path.join(import.meta.dirname, "../../../..");
const docs = readdirSync(path.join(root, "docs")).filter((file) => file.endsWith(".md"));
const pages = [...docs.map((file) => `docs/${file}`), "README.md", "examples/README.md"];

function read(page: string): string {
  return readFileSync(path.join(root, page), "utf8");
}

/** The anchors that GitHub generates from the headings. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}

test("the index lists every page and no other", () => {
  const named = [...read("docs/README.md").matchAll(/\]\(([\w-]+\.md)\)/g)].map(([, file]) => file);
  expect(named.toSorted()).toEqual(docs.filter((file) => file !== "README.md").toSorted());
});

test.each(pages)("every link of %s has a target", (page) => {
  const prose = read(page).replace(/^```.*?^```/gms, "");
  for (const [, link = ""] of prose.matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^https?:/.test(link)) continue;
    const [file = "", anchor] = link.split("#");
    const target = file === "" ? page : path.join(path.dirname(page), file);
    expect(existsSync(path.join(root, target)), `${link} in ${page}`).toBe(true);
    if (anchor !== undefined) expect(anchorsOf(read(target)), `${link} in ${page}`).toContain(anchor);
  }
});
