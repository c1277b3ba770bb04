/** The schemas of the command's tables. The core validates them along with its own options. */

import { isIP } from "node:net";
import { optionSchemas, serverLimitShape, serverShape, serverTimeoutShape } from "evenkeel";
import * as z from "zod";

const { duration, flag, list, listenAddress, listenAddresses, oneOf, table, text } = optionSchemas;

const file = (what: string) =>
  text(what).superRefine((value, context) => {
    if (value === "" || value.includes("\0")) fail(context, `expected ${what}, found ${JSON.stringify(value)}`);
  });

const certificate = { cert: file("the path of a PEM file"), key: file("the path of a PEM file") };

/** A host name or an IP address, without a port. */
const host = () =>
  text("a host")
    .superRefine((value, context) => {
      const name = /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?$/.test(value);
      if (!name && isIP(value.replace(/^\[(.*)\]$/, "$1")) !== 6) {
        const example = 'such as "admin.example.com", without a port';
        fail(context, `expected a host ${example}, found ${JSON.stringify(value)}`);
      }
    })
    .meta({ pattern: "^(?:[A-Za-z0-9_-]+(?:\\.[A-Za-z0-9_-]+)*\\.?|\\[?[\\dA-Fa-f:.]+\\]?)$" });

/** The message does not contain the value, which is a secret. */
const token = () =>
  text("a token")
    .superRefine((value, context) => {
      if (!/^[\x21-\x7e]+$/.test(value))
        fail(context, "a token is not empty and has only visible ASCII, without spaces");
    })
    .meta({ pattern: "^[\\x21-\\x7e]+$" });

const workers = () =>
  z.union([z.int().min(1).max(256), z.literal("auto")], { error: 'expected a whole number from 1 to 256, or "auto"' });

export const commandTables: Readonly<Record<"server" | "admin" | "accessLog", z.ZodType>> = {
  server: table({
    listen: listenAddresses().optional(),
    workers: workers().optional(),
    shutdownTimeout: duration().optional(),
    drainDelay: duration().optional(),
    ...serverShape,
    tls: table({
      ...certificate,
      certificates: list("certificates", table(certificate, "a table with cert and key")).optional(),
    }).optional(),
    limits: table(serverLimitShape).optional(),
    timeouts: table({ ...serverTimeoutShape, requestBody: duration(1).optional() }).optional(),
  }).optional(),
  admin: table({
    listen: listenAddress().optional(),
    token: token().optional(),
    readToken: token().optional(),
    dashboard: flag().optional(),
    hosts: list("hosts", host()).optional(),
    metrics: flag().optional(),
    readyPools: list("names of pools", text("the name of a pool")).optional(),
  }).optional(),
  accessLog: table({
    format: oneOf(["json", "combined", "none"]).optional(),
    path: file('"stdout", "stderr" or the path of a file').optional(),
  }).optional(),
};

function fail(context: z.RefinementCtx, message: string): void {
  context.addIssue({ code: "custom", message });
}
