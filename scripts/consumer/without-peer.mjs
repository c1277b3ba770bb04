// Uses the library where its optional peer dependency is not installed.
import assert from "node:assert/strict";
import { createProxy } from "evenkeel";

const proxy = createProxy({ upstreams: ["http://127.0.0.1:1"] });
await proxy.close();
await assert.rejects(import("evenkeel/opentelemetry"), {
  code: "ERR_MODULE_NOT_FOUND",
  message: /@opentelemetry\/api/,
});
