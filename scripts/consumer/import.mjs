// Imports every public entry.
import assert from "node:assert/strict";
import { entries } from "./lab.mjs";
import manifests from "./manifests.json" with { type: "json" };

for (const { entry, json } of entries(manifests)) {
  const module = json ? await import(entry, { with: { type: "json" } }) : await import(entry);
  assert.ok(Object.keys(module).length > 0, `${entry} exports nothing`);
}
