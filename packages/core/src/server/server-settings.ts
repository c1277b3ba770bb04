/** The options of a server, checked and with defaults. */

import type { ServerLimits } from "../client/server/server-limits.ts";
import { checkAgainst } from "../config/check.ts";
import { defaults } from "../config/defaults.ts";
import { parseDuration, parseSize } from "../config/duration.ts";
import { OptionsError } from "../config/issues.ts";
import { type ListenAddress, parseListenAddress } from "../config/listen-address.ts";
import type { ServerOptions } from "../config/options/server-options.ts";
import { serverSchema } from "../config/schema/server-schema.ts";
import { type Certificate, parseCertificates } from "./opening/certificates.ts";

export interface ServerSettings {
  /** At least one. */
  readonly addresses: readonly ListenAddress[];
  /** The default one first; undefined for plain HTTP. */
  readonly certificates: readonly Certificate[] | undefined;
  readonly http2: boolean;
  readonly h2c: boolean;
  readonly maxConnections: number;
  /** Addresses and networks. */
  readonly proxyProtocol: readonly string[];
  readonly limits: ServerLimits;
}

/** Throws an `OptionsError` that names every mistake. */
export function resolveSettings(options: ServerOptions): ServerSettings {
  const { issues } = checkAgainst(serverSchema, options);
  if (issues.length > 0) throw new OptionsError(issues);
  const {
    listen,
    tls,
    http2,
    h2c,
    maxConnections,
    proxyProtocol = [],
  } = { ...defaults.server, ...withoutUndefined(options) };
  const { headBytes, ...limits } = { ...defaults.serverLimits, ...withoutUndefined(options.limits ?? {}) };
  const { requestHeaders, keepAlive, send } = {
    ...defaults.serverTimeouts,
    ...withoutUndefined(options.timeouts ?? {}),
  };
  return {
    addresses: [listen].flat().map((text) => parseListenAddress(text) as ListenAddress),
    certificates: tls && parseCertificates(tls),
    http2,
    h2c,
    maxConnections,
    proxyProtocol,
    limits: {
      ...limits,
      headBytes: parseSize(headBytes) as number,
      requestHeadersMs: parseDuration(requestHeaders) as number,
      keepAliveMs: parseDuration(keepAlive) as number,
      sendMs: parseDuration(send) as number,
    },
  };
}

/** A key with the value undefined counts as absent. */
function withoutUndefined<T extends object>(table: T): T {
  return Object.fromEntries(Object.entries(table).filter(([, value]) => value !== undefined)) as T;
}
