/** The schemas of the command's tables. The core validates them along with its own options. */

import { isIP } from "node:net";
import { optionSchemas } from "evenkeel";
import * as z from "zod";
import { parseListen } from "./listen-address.ts";

const { duration, flag, integer, list, oneOf, table, text } = optionSchemas;

const address = () =>
  text('an address such as "127.0.0.1:8080"')
    .superRefine((value, context) => {
      const parsed = parseListen(value);
      if (typeof parsed === "string") fail(context, parsed);
    })
    .meta({ pattern: "^(?:unix:.+|(?:\\[[^\\[\\]]*\\]|[^:\\[\\]]*):\\d{1,5})$" });

const addresses = z.preprocess(
  (listen: string | string[]) => (typeof listen === "string" ? [listen] : listen),
  z
    .array(address(), { error: 'expected an address such as "127.0.0.1:8080", or an array of them' })
    .min(1, { error: "expected at least one address" }),
);

const file = (what: string) =>
  text(what).superRefine((value, context) => {
    if (value === "" || value.includes("\0")) fail(context, `expected ${what}, found ${JSON.stringify(value)}`);
  });

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

export const commandTables: Readonly<Record<"server" | "admin" | "accessLog", z.ZodType>> = {
  server: table({
    listen: addresses.optional(),
    shutdownTimeout: duration().optional(),
    maxConnections: integer(1, 1_000_000).optional(),
    tls: table({ cert: file("the path of a PEM file"), key: file("the path of a PEM file") }).optional(),
    timeouts: table({
      requestHeaders: duration(1).optional(),
      requestBody: duration(1).optional(),
      keepAlive: duration(1).optional(),
    }).optional(),
  }).optional(),
  admin: table({
    listen: address().optional(),
    token: token().optional(),
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
