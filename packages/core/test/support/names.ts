import { onTestFinished } from "vitest";
import type { NameSources } from "../../src/dns/host-lookup.ts";
import { parseHosts } from "../../src/dns/hosts-file.ts";
import { NameResolver } from "../../src/dns/name-resolver.ts";
import type { SearchRules } from "../../src/dns/resolv-conf.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";

/** What DNS answers about one family of a name: addresses, one of node's codes, or nothing at all. */
export type FamilyAnswer = readonly string[] | "ENOTFOUND" | "ENODATA" | "ESERVFAIL" | "ECONNREFUSED" | "silence";

export interface NameAnswer {
  readonly 4?: FamilyAnswer;
  readonly 6?: FamilyAnswer;
  /** In seconds. */
  readonly ttl?: number;
}

/** A DNS, hosts file and getaddrinfo of the test's own. */
export interface ScriptedNames extends NameSources {
  /** By name; whatever is not in it is NXDOMAIN. An array stands for IPv4 addresses. */
  zone: Record<string, NameAnswer | FamilyAnswer>;
  /** The text of the hosts file. */
  hostsText: string;
  rules: SearchRules;
  /** What getaddrinfo answers. */
  system: NameSources["system"];
  /** Every question, as in "A api.test", in order. */
  readonly questions: string[];
  /** Questions that have no answer yet. */
  open: number;
}

export function scriptedNames(zone: ScriptedNames["zone"] = {}): ScriptedNames {
  const names: ScriptedNames = {
    zone,
    hostsText: "",
    rules: { domains: [], ndots: 1 },
    questions: [],
    open: 0,
    hosts: async () => parseHosts(names.hostsText),
    search: async () => names.rules,
    system: async () => {
      throw failure("ENOTFOUND");
    },
    openDns: (_servers, signal) => ({
      services: async () => [],
      addresses: async (name, family) => {
        names.questions.push(`${family === 4 ? "A" : "AAAA"} ${name}`);
        const known = names.zone[name] ?? "ENOTFOUND";
        const whole: NameAnswer =
          typeof known === "string"
            ? { 4: known, 6: known }
            : Array.isArray(known)
              ? { 4: known }
              : (known as NameAnswer);
        const answer = whole[family] ?? "ENODATA";
        if (answer === "silence") return await silence(names, signal);
        if (typeof answer === "string") throw failure(answer);
        return answer.map((address) => ({ address, ttl: whole.ttl ?? 60 }));
      },
    }),
  };
  return names;
}

/** A resolver over a DNS of the test's own. */
export function resolverOver(names: NameSources, runtime?: Partial<Runtime>): NameResolver {
  const resolver = new NameResolver({ random: () => 0, ...runtime }, names);
  onTestFinished(() => resolver.stop());
  return resolver;
}

export function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}

function silence(names: ScriptedNames, signal: AbortSignal): Promise<never> {
  names.open++;
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => {
      names.open--;
      reject(failure("ECANCELLED"));
    });
  });
}
