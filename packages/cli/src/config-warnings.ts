import type { FileConfig } from "@evenkeel/config";
import type { PoolSettings, TlsOptions } from "evenkeel";
import { expiryWarning, validityOf } from "./primary/certificate-validity.ts";
import type { TlsFiles } from "./serving/tls-files.ts";

/** Returns warnings about a valid configuration. `tls` are the files that the listener uses. */
export function configWarnings(config: FileConfig, tls: TlsFiles | undefined, now: number): string[] {
  return [...listenerWarnings(config, tls, now), ...upstreamTlsWarnings(config, now)];
}

function listenerWarnings({ server }: FileConfig, tls: TlsFiles | undefined, now: number): string[] {
  if (tls === undefined || server.tls === undefined) return [];
  const paths = [server.tls, ...server.tls.certificates].map(({ cert }) => cert);
  return [tls, ...tls.certificates].flatMap(({ cert }, index) => {
    const warning = validityWarning(cert, now);
    return warning === undefined ? [] : [`server.tls: the certificate ${paths[index]} ${warning}`];
  });
}

function upstreamTlsWarnings({ options }: FileConfig, now: number): string[] {
  const { pools, defaults } = options as { pools?: Readonly<Record<string, PoolSettings>>; defaults?: PoolSettings };
  const each: readonly (readonly [string, PoolSettings])[] = Object.entries(
    pools ?? { default: options as PoolSettings },
  );
  return each.flatMap(([name, pool]) => {
    const tls: TlsOptions = { ...defaults?.tls, ...pool.tls };
    const warnings: string[] = [];
    if (tls.verify === false) {
      warnings.push(
        "tls.verify = false: certificates of its upstreams are not verified, so an attacker on the network can read and change the traffic",
      );
    }
    const expiry = tls.cert === undefined ? undefined : validityWarning(tls.cert, now);
    if (expiry !== undefined) warnings.push(`tls.cert: the client certificate ${expiry}`);
    return warnings.map((warning) => `pool ${JSON.stringify(name)}: ${warning}`);
  });
}

function validityWarning(pem: string, now: number): string | undefined {
  const validity = validityOf(pem);
  return validity && expiryWarning(validity, now);
}
