import os from "node:os";
import { afterEach, describe, expect, test, vi } from "vitest";
import { limits } from "../../src/config/defaults.ts";
import { parseResolvConf, searchNames } from "../../src/dns/resolv-conf.ts";

afterEach(() => void vi.restoreAllMocks());
const parse = (text: string, environment: NodeJS.ProcessEnv = {}) => parseResolvConf(text, environment);

const kubernetes = `search default.svc.cluster.local svc.cluster.local cluster.local
nameserver 10.96.0.10
options ndots:5
`;

describe("resolv.conf", () => {
  test("of Kubernetes has its search list and its dots", () => {
    expect(parse(kubernetes)).toEqual({
      domains: ["default.svc.cluster.local", "svc.cluster.local", "cluster.local"],
      ndots: 5,
    });
  });

  test.each([
    ["search a.test. b.test # a comment\n", ["a.test", "b.test"], 1],
    ["domain a.test b.test\n", ["a.test"], 1],
    ["domain a.test\nsearch b.test\n", ["b.test"], 1],
    ["search b.test\ndomain a.test\n", ["a.test"], 1],
    ["search .\noptions timeout:1 ndots:99 attempts:2\n", [], 15],
    ["search a.test\noptions ndots:0\n", ["a.test"], 0],
    ["search a.test\noptions ndots:x ndots:\n", ["a.test"], 1],
    ["; search c.test\nsearch a.test\r\n", ["a.test"], 1],
  ])("%j is parsed", (text, domains, ndots) => {
    expect(parse(text)).toEqual({ domains, ndots });
  });

  test("without a list completes names with the machine's own domain", () => {
    vi.spyOn(os, "hostname").mockReturnValueOnce("web-1.corp.test").mockReturnValueOnce("web-1");
    expect(parse("nameserver 10.0.0.1\n").domains).toEqual(["corp.test"]);
    expect(parse("").domains).toEqual([]);
  });

  test("is overridden by LOCALDOMAIN and RES_OPTIONS", () => {
    const environment = { LOCALDOMAIN: "x.test y.test", RES_OPTIONS: "ndots:2 rotate" };
    expect(parse(kubernetes, environment)).toEqual({ domains: ["x.test", "y.test"], ndots: 2 });
    expect(parse(kubernetes, { LOCALDOMAIN: "" }).domains).toEqual([]);
  });

  test("is bounded in its search domains", () => {
    const domains = Array.from({ length: 1_000 }, (_, index) => `d${index}.test`);
    expect(parse(`search ${domains.join(" ")}\n`).domains).toHaveLength(limits.dnsSearchDomains);
  });
});

describe("the names to look up", () => {
  const rules = parse(kubernetes);
  const completed = (name: string) => rules.domains.map((domain) => `${name}.${domain}`);

  test.each([
    ["api", [...completed("api"), "api"]],
    ["api.other", [...completed("api.other"), "api.other"]],
    ["a.b.c.d.e.f", ["a.b.c.d.e.f", ...completed("a.b.c.d.e.f")]],
    ["api.example.com.", ["api.example.com"]],
  ])("of %s are in order", (name, names) => {
    expect(searchNames(name, rules)).toEqual(names);
  });

  test("never exceed the length of a name", () => {
    expect(searchNames("x".repeat(240), rules)).toEqual([`${"x".repeat(240)}`]);
  });
});
