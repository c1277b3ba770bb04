/** The schema of the options of `createServer`, and the parts of it that the command's table `[server]` has too. */

import * as z from "zod";
import type { ServerOptions } from "../options/server-options.ts";
import { duration, flag, integer, list, listenAddresses, network, size, table } from "./field-schemas.ts";

/** The keys of a table. */
type Shape<Keys extends string> = Readonly<Record<Keys, z.ZodType>>;

export const serverShape: Shape<"http2" | "h2c" | "maxConnections" | "proxyProtocol"> = {
  http2: flag().optional(),
  h2c: flag().optional(),
  maxConnections: integer(1, 1_000_000).optional(),
  proxyProtocol: list("addresses and networks", network()).optional(),
};

export const serverLimitShape: Shape<"headBytes" | "minBodyRate" | "requestsPerConnection" | "maxConcurrentStreams"> = {
  headBytes: size(1_024, 1_048_576).optional(),
  minBodyRate: integer(0, 1_000_000_000).optional(),
  requestsPerConnection: integer(0, 1_000_000_000).optional(),
  maxConcurrentStreams: integer(1, 10_000).optional(),
};

export const serverTimeoutShape: Shape<"requestHeaders" | "keepAlive"> = {
  requestHeaders: duration(1).optional(),
  keepAlive: duration(1).optional(),
};

/** The message does not contain the value, which is a secret. */
const pem = (what: string) =>
  z
    .string({ error: `expected ${what} in PEM` })
    .refine((value) => value.includes("-----BEGIN "), { error: `expected ${what} in PEM, not a path` });

const certificate = { cert: pem("a certificate"), key: pem("a private key") };

export const serverSchema: z.ZodType<ServerOptions> = table({
  listen: listenAddresses(),
  tls: table({ ...certificate, certificates: list("certificates", table(certificate)).optional() }).optional(),
  ...serverShape,
  limits: table(serverLimitShape).optional(),
  timeouts: table({ ...serverTimeoutShape, send: duration().optional() }).optional(),
}) as z.ZodType<unknown> as z.ZodType<ServerOptions>;
