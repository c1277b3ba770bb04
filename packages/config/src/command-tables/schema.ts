/** The schemas of the command's tables. The core validates them along with its own options. */

import { isIP } from "node:net";
import { didYouMean, optionSchemas, serverLimitShape, serverShape, serverTimeoutShape } from "evenkeel";
import * as z from "zod";
import { accessLogFields } from "../access-log-fields.ts";
import { limits } from "../defaults.ts";

const { duration, flag, fraction, headerName, headerValue, list } = optionSchemas;
const { listenAddress, listenAddresses, oneOf, record, table, text } = optionSchemas;

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

const knownField = () =>
  text("the name of a field")
    .superRefine((value, context) => {
      if ((accessLogFields as readonly string[]).includes(value)) return;
      fail(context, `there is no field ${JSON.stringify(value)}${didYouMean(value, accessLogFields)}`);
    })
    .meta({ pattern: `^(?:${accessLogFields.join("|")})$` });

/** A name in a line of the access log. */
const fieldName = () =>
  text("the name of a field").regex(new RegExp(`^[A-Za-z_@][\\w@./-]{0,${limits.fieldNameLength - 1}}$`), {
    error: 'expected the name of a field, such as "event.duration": letters, digits, ".", "_", "-", "/" and "@"',
  });

const fieldValue = () =>
  z.union([z.string().max(1_024), z.number(), z.boolean()], { error: "expected a string, a number, true or false" });

/** The message does not contain the URL, which may have a password. */
const endpoint = () =>
  text("a URL")
    .superRefine((value, context) => {
      if (!URL.canParse(value) || !/^https?:\/\//.test(value))
        fail(context, 'expected a URL such as "http://127.0.0.1:4318/v1/traces"');
    })
    .meta({ pattern: "^https?://" });

export const commandTables: Readonly<Record<"server" | "admin" | "accessLog" | "tracing", z.ZodType>> = {
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
    fields: table({
      preset: oneOf(["ecs", "otel"]).optional(),
      remove: list("names of fields", knownField()).optional(),
      rename: record("names", knownField(), fieldName()).optional(),
      add: record("fields", fieldName(), fieldValue()).optional(),
    }).optional(),
  }).optional(),
  tracing: table({
    endpoint: endpoint().optional(),
    headers: record("headers", headerName(), headerValue()).optional(),
    serviceName: text("a name").min(1, { error: "expected a name, found an empty string" }).optional(),
    sampleRatio: fraction(0, 1).optional(),
    probes: flag().optional(),
  }).optional(),
};

function fail(context: z.RefinementCtx, message: string): void {
  context.addIssue({ code: "custom", message });
}
