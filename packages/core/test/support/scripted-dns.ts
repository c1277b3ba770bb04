import type { DnsClient, OpenDns } from "../../src/dns/dns-client.ts";
import type { NameRecords, Zone } from "./dns-server.ts";

/** DNS in memory, for `openDns`. */
export class ScriptedDns {
  /** What it answers from now on. Whatever is not in it is NXDOMAIN. */
  zone: Zone;
  /** Every question, as in "A api.test". */
  readonly questions: string[] = [];

  constructor(zone: Zone = {}) {
    this.zone = zone;
  }

  readonly open: OpenDns = (_servers, signal): DnsClient => ({
    addresses: async (name, family) => {
      const { a, aaaa, ttl = 0 } = await this.#find(family === 4 ? "A" : "AAAA", name, signal);
      const addresses = await present(family === 4 ? a : aaaa, signal);
      return addresses.map((address) => ({ address, ttl }));
    },
    services: async (name) => {
      const { srv } = await this.#find("SRV", name, signal);
      const services = await present(srv, signal);
      return services.map(({ target, port, priority = 0, weight = 0 }) => ({ name: target, port, priority, weight }));
    },
  });

  async #find(type: string, name: string, signal: AbortSignal): Promise<NameRecords> {
    this.questions.push(`${type} ${name}`);
    const records = this.zone[name] ?? "NXDOMAIN";
    return typeof records === "string" ? fail(records, signal) : records;
  }
}

/** The records of one type. */
async function present<T>(records: readonly T[] | string | undefined, signal: AbortSignal): Promise<readonly T[]> {
  if (records === undefined) throw errorOf("ENODATA");
  return typeof records === "string" ? fail(records, signal) : records;
}

/** Rejects with the error of Node's resolver; for "silence" once the lookup is aborted. */
function fail(how: string, signal: AbortSignal): Promise<never> {
  if (how !== "silence") return Promise.reject(errorOf(how === "NXDOMAIN" ? "ENOTFOUND" : `E${how}`));
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(errorOf("ECANCELLED")));
  });
}

function errorOf(code: string): Error {
  return Object.assign(new Error(code), { code });
}
