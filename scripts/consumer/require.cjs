// Requires every public entry: Node supports require() of ES modules since 20.19 and 22.12.
const assert = require("node:assert/strict");
const manifests = require("./manifests.json");

for (const { name, exports } of manifests) {
  for (const entry of Object.keys(exports)) {
    assert.ok(Object.keys(require(name + entry.slice(1))).length > 0, `${name} ${entry} exports nothing`);
  }
}
assert.equal(typeof require("evenkeel").createProxy, "function");
assert.equal(typeof require("@evenkeel/fastify").evenkeel, "function");
