import { expect, test } from "vitest";
import { describeTables, formatToml, parseConfig } from "../../src/index.ts";

const pools = '\n[pools.app]\nupstreams = ["http://127.0.0.1:3001"]\n';

const full = `
[server]
listen = ["127.0.0.1:8443", "unix:/run/evenkeel.sock"]
workers = 2
shutdownTimeout = "1500ms"
drainDelay = "2m"
maxConnections = 500
h2c = true
proxyProtocol = ["10.0.0.0/8"]
[server.tls]
cert = "site.pem"
key = "site.key"
certificates = [{ cert = "other.pem", key = "other.key" }]
[server.limits]
headBytes = "1500b"
minBodyRate = 100
[server.timeouts]
requestBody = "2h"
[admin]
listen = "127.0.0.1:9191"
token = "open-sesame"
readToken = "may-read"
dashboard = false
hosts = ["admin.example.com"]
readyPools = ["app"]
[accessLog]
path = "access.log"
[accessLog.fields]
preset = "ecs"
remove = ["referer"]
rename = { durationMs = "took" }
add = { service = "edge", shard = 3 }
[tracing]
endpoint = "http://127.0.0.1:4319/v1/traces"
headers = { x-api-key = "open-sesame" }
serviceName = "edge"
sampleRatio = 0.5
probes = true
`;

test.each(["", full])("the tables in force are those of a file with the same effect %#", (toml) => {
  const options = { file: "/etc/evenkeel/config.toml", env: {} };
  const config = parseConfig(toml + pools, options);
  const text = formatToml(describeTables(config));
  for (const secret of ["open-sesame", "may-read"]) expect(text).not.toContain(secret);
  const again = parseConfig(
    text.replace('"***"', '"open-sesame"').replace('"***"', '"may-read"').replace('"***"', '"open-sesame"') + pools,
    options,
  );
  expect({ ...again, options: config.options }).toEqual(config);
});

test("no secret in a URL or a text is described", () => {
  const toml = `
[tracing]
endpoint = "https://me:hunter2@example.com/v1/traces?api_key=hunter2&x=hunter2"
[accessLog.fields]
add = { dsn = "https://me:hunter2@example.com/1", note = "Bearer hunter2", apiToken = "hunter2" }
`;
  const described = describeTables(parseConfig(toml + pools, { file: "/etc/evenkeel/config.toml", env: {} }));
  expect(JSON.stringify(described)).not.toContain("hunter2");
  expect(described).toMatchObject({ tracing: { endpoint: "https://***@example.com/v1/traces?***" } });
});

test("TOML has no null", () => {
  expect(formatToml({ a: null, b: [1, null, { c: null, d: undefined, e: "x" }] })).toBe('b = [ 1, { e = "x" } ]\n');
});
