/** The schemas of the command's tables. The core validates them along with its own options. */

import { isIP } from "node:net";
import { parseDuration } from "evenkeel";
import * as z from "zod";
import { parseListen } from "./listen-address.ts";

const table = <const Shape extends z.ZodRawShape>(shape: Shape) => z.strictObject(shape, { error: "expected a table" });

const text = (what: string) => z.string({ error: `expected ${what}` });

const flag = () => z.boolean({ error: "expected true or false" });

const integer = (min: number, max: number) => {
  const error = `expected a whole number from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
};

const oneOf = <const Word extends string>(words: readonly Word[]) =>
  z.enum(words, { error: `expected one of ${words.map((word) => `"${word}"`).join(", ")}` });

const duration = (minMs: number) =>
  text('a duration such as "250ms", "5s" or "2m"')
    .superRefine((value, context) => {
      const ms = parseDuration(value);
      if (ms === undefined) {
        fail(context, `expected a duration such as "250ms", "5s" or "2m", found ${JSON.stringify(value)}`);
      } else if (ms < minMs || ms > 86_400_000) {
        fail(context, `expected a duration from ${minMs}ms to 24h, found ${JSON.stringify(value)}`);
      }
    })
    .meta({ pattern: "^\\d{1,12}(?:\\.\\d{1,3})?(?:ms|s|m|h)$", range: `${minMs}ms to 24h` });

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
    shutdownTimeout: duration(0).optional(),
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
    hosts: z.array(host(), { error: "expected an array of hosts" }).optional(),
    metrics: flag().optional(),
    readyPools: z.array(text("the name of a pool"), { error: "expected an array of names of pools" }).optional(),
  }).optional(),
  accessLog: table({
    format: oneOf(["json", "combined", "none"]).optional(),
    path: file('"stdout", "stderr" or the path of a file').optional(),
  }).optional(),
};

function fail(context: z.RefinementCtx, message: string): void {
  context.addIssue({ code: "custom", message });
}
