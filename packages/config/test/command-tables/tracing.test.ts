import { expect, test } from "vitest";
import { parseConfig } from "../../src/index.ts";

const endpointOf = (endpoint: string) =>
  parseConfig(`upstreams = ["http://127.0.0.1:1"]\n[tracing]\nendpoint = "${endpoint}"`, { file: "x.toml", env: {} })
    .tracing?.endpoint;

test.each([
  ["http://collector:4318", "http://collector:4318/v1/traces"],
  ["https://collector/", "https://collector/v1/traces"],
  ["https://collector/?key=k", "https://collector/v1/traces?key=k"],
  ["https://collector/otlp", "https://collector/otlp"],
  ["http://collector:4318/v1/traces", "http://collector:4318/v1/traces"],
])("spans for %s are sent to %s", (given, used) => {
  expect(endpointOf(given)).toBe(used);
});
