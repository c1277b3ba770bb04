// Imports every public entry.
import assert from "node:assert/strict";
import { entries, peerOf } from "./lab.mjs";
import manifests from "./manifests.json" with { type: "json" };

for (const { entry, json } of entries(manifests)) {
  if (peerOf[entry] !== undefined) {
    await assert.rejects(import(entry), { code: "ERR_MODULE_NOT_FOUND", message: new RegExp(peerOf[entry]) });
    continue;
  }
  const module = json ? await import(entry, { with: { type: "json" } }) : await import(entry);
  assert.ok(Object.keys(module).length > 0, `${entry} exports nothing`);
}
