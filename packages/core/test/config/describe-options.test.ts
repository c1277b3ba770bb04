import { describe, expect, test } from "vitest";
import { describeOptions } from "../../src/config/describe-options.ts";
import type { ProxyOptions } from "../../src/config/options.ts";
import { resolveOptions } from "../../src/config/resolve.ts";
import type { Candidate, PickContext } from "../../src/policy.ts";

const described = (options: ProxyOptions) =>
  describeOptions(resolveOptions(options)) as never as Required<ProxyOptions>;

const pools: ProxyOptions = {
  trustedProxies: ["10.0.0.0/8"],
  latencyBuckets: ["0.5ms", "2.5ms", "1s"],
  defaults: { retry: { attempts: 1 }, timeouts: { connect: "1s" }, outlierDetection: { window: "20s" } },
  pools: {
    api: {
      upstreams: ["http://a:1", { url: "http://b:2", id: "b", weight: 3, maxInFlight: 5 }],
      retry: { on: [503, "reset"] },
      healthCheck: { path: "/healthz", expectStatus: [200, "204-299"] },
      slowStart: {},
      weights: { mode: "announced" },
      queue: { max: 0 },
    },
    web: { discovery: { name: "web.internal" }, outlierDetection: false, balance: "hash", hashOn: "header:x-user" },
  },
  routes: [
    { host: "a.example", pool: "api", maxBodySize: "1mb" },
    { path: "/web", pool: "web" },
  ],
};

describe("the description of options", () => {
  test.each<[string, ProxyOptions]>([
    ["one pool", { upstreams: ["http://a", "http+unix:///run/a.sock"], sendTimeout: "1m" }],
    ["many pools", pools],
  ])("has the same meaning as the options: %s", (_, options) => {
    const { written, ...resolved } = resolveOptions(options);
    const { written: again, ...same } = resolveOptions(described(options));
    expect(same).toEqual(resolved);
    expect(described(again)).toEqual(described(written));
  });

  test("has every default in the words of a file, and the settings of each pool with the shared ones", () => {
    expect(described({ upstreams: ["http://a:1"] })).toEqual({
      trustedProxies: [],
      forwarded: false,
      maxHeaders: 200,
      requestBodyTimeout: "30s",
      requestBodyMinRate: 240,
      sendTimeout: "60s",
      latencyBuckets: expect.arrayContaining(["2.5ms", "60s"]),
      routes: [{ path: "/", stripPrefix: false, preserveHost: true, pool: "default" }],
      pools: {
        default: {
          upstreams: [{ id: "a:1", url: "http://a:1", weight: 1, backup: false }],
          ...{ balance: "p2c", hashOn: "client-ip", hashBalanceFactor: 0, panic: "use-all", closeTunnelsWhen: [] },
          outlierDetection: expect.objectContaining({ window: "10s", failureStatuses: ["500-599"] }),
          retry: expect.objectContaining({ attempts: 3, bodyBuffer: "64kb", connectFor: "2s" }),
          timeouts: { connect: "3s", headers: "30s", idle: "60s", total: "0s" },
          queue: { max: 100, timeout: "5s" },
          connections: expect.objectContaining({ keepAlive: "4s", http2: false }),
          tls: { verify: true },
        },
      },
    });
    expect(described(pools)).toMatchObject({
      pools: { api: { retry: { attempts: 1, on: ["503", "reset"], budget: 0.2 }, timeouts: { connect: "1s" } } },
    });
    expect(described(pools)).not.toHaveProperty("defaults");
  });

  test("names a policy of the app", () => {
    const balance = { name: "mine", pick: ({ candidates }: PickContext) => candidates[0] as Candidate };
    expect(described({ upstreams: ["http://a"], balance })).toMatchObject({ pools: { default: { balance: "mine" } } });
  });

  test("has no secret", () => {
    const pem = (what: string) => `-----BEGIN ${what}-----\nHUNTER2\n-----END ${what}-----\n`;
    const options: ProxyOptions = {
      upstreams: ["https://a"],
      sticky: { secret: "hunter2-hunter2" },
      tls: { ca: pem("CERTIFICATE"), cert: pem("CERTIFICATE"), key: pem("PRIVATE KEY") },
      healthCheck: {
        path: "/healthz?token=hunter2&k=hunter2",
        headers: { "X-Internal": "hunter2", Host: "a.example" },
      },
      routes: [
        {
          requestHeaders: {
            set: { Authorization: "Bearer hunter2", "X-Api-Key": "hunter2", "User-Agent": "evenkeel" },
          },
          responseHeaders: { set: { "Set-Cookie": "session=hunter2", "Strict-Transport-Security": "max-age=1" } },
        },
      ],
    };
    const text = JSON.stringify(described(options));
    expect(text).not.toMatch(/hunter2/i);
    expect(described(options)).toMatchObject({
      routes: [
        {
          requestHeaders: { set: { Authorization: "***", "X-Api-Key": "***", "User-Agent": "evenkeel" } },
          responseHeaders: { set: { "Set-Cookie": "***", "Strict-Transport-Security": "max-age=1" } },
        },
      ],
      pools: {
        default: {
          sticky: { cookie: "evenkeel", secret: "***", onMissing: "redistribute" },
          tls: { ca: "PEM", cert: "PEM", key: "***" },
          healthCheck: { path: "/healthz?token=***&k=***", headers: { "X-Internal": "***", Host: "a.example" } },
        },
      },
    });
  });

  test("masks no pool for its name", () => {
    const named = { set: { upstreams: ["http://a"] }, headers: { upstreams: ["http://b"] }, token: {} };
    const options: ProxyOptions = { pools: named, routes: [{ pool: "set" }] };
    expect(described(options)).toMatchObject({
      routes: [{ pool: "set" }],
      pools: { set: { balance: "p2c" }, headers: { upstreams: [{ url: "http://b" }] }, token: { balance: "p2c" } },
    });
  });
});
