/**
 * Schemas of the types of values in the options. Their messages state what is allowed.
 *
 * A value that code checks also has a `pattern`, or a `range` in words, for the generated JSON Schema and the reference. A
 * pattern may accept a value that the code rejects, but never reject one that the code accepts.
 */

import { isIP } from "node:net";
import * as z from "zod";
import { fieldText, token, tokenChar } from "../../http1/grammar.ts";
import type { Policy } from "../../policy.ts";
import { parseDuration, parseSize } from "../duration.ts";
import { parseListenAddress } from "../listen-address.ts";
import type { HashKey, PolicyName, RetryCondition } from "../options.ts";
import { LinearPattern } from "../pattern/linear-pattern.ts";
import { headerRule, refusedReason } from "../settable-header.ts";
import { parseUpstreamUrl } from "../upstream-url.ts";

/** An object that refuses unknown keys, `__proto__` included. */
export const table = <const Shape extends z.ZodRawShape>(
  shape: Shape,
  what = "a table",
): z.ZodObject<Shape, z.core.$strict> => z.strictObject(shape, { error: `expected ${what}` });

/** An object whose keys are names that the user chooses. */
export const record = <Value extends z.ZodType>(
  what: string,
  key: z.ZodString,
  value: Value,
): z.ZodRecord<z.ZodString, Value> => z.record(key, value, { error: `expected a table of ${what}` });

export const list = <Element extends z.ZodType>(what: string, element: Element): z.ZodArray<Element> =>
  z.array(element, { error: `expected an array of ${what}` });

export const text = (what: string): z.ZodString => z.string({ error: `expected ${what}` });

/** The name of a protobuf service, with its package. */
export const serviceName = (): z.ZodString =>
  text("the name of a service").regex(/^[\w.]{0,256}$/, {
    error: 'expected the name of a service, such as "shop.v1.Cart"',
  });

export const flag = (): z.ZodBoolean => z.boolean({ error: "expected true or false" });

/** A boolean or one word. */
export const flagOr = <const Word extends string>(
  word: Word,
): z.ZodUnion<readonly [z.ZodBoolean, z.ZodLiteral<Word>]> =>
  z.union([z.boolean(), z.literal(word)], { error: `expected true, false or "${word}"` });

export const integer = (min: number, max: number): z.ZodInt => {
  const error = `expected a whole number from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
};

export const fraction = (min: number, max: number): z.ZodNumber => {
  const error = `expected a number from ${min} to ${max}`;
  return z.number({ error }).min(min, { error }).max(max, { error });
};

/** 0, or at least 1: with a factor below 1 all upstreams could reach their limit. */
export const balanceFactor = (): z.ZodNumber => {
  const error = "expected 0, or a number from 1 to 100";
  return z
    .number({ error })
    .min(0, { error })
    .max(100, { error })
    .refine((factor) => factor === 0 || factor >= 1, { error })
    .meta({ range: "0, or 1 to 100" });
};

export const oneOf = <const Word extends string>(words: readonly Word[]): z.ZodEnum<{ [Key in Word]: Key }> =>
  z.enum(words, { error: `expected one of ${words.map((word) => `"${word}"`).join(", ")}` });

export const durationPattern = "^\\d{1,12}(?:\\.\\d{1,3})?(?:ms|s|m|h)$";

export const duration = (minMs = 0): z.ZodString =>
  text('a duration such as "250ms", "5s" or "2m"')
    .superRefine((value, context) => {
      const ms = parseDuration(value);
      if (ms === undefined) {
        fail(context, `expected a duration such as "250ms", "5s" or "2m", found ${JSON.stringify(value)}`);
      } else if (ms < minMs || ms > 86_400_000) {
        fail(context, `expected a duration from ${minMs}ms to 24h, found ${JSON.stringify(value)}`);
      }
    })
    .meta({ pattern: durationPattern, range: `${minMs}ms to 24h` });

export const size = (minBytes: number = 0, maxBytes: number = Infinity): z.ZodString =>
  text('a size such as "64kb" or "10mb"')
    .superRefine((value, context) => {
      const bytes = parseSize(value);
      if (bytes === undefined) {
        fail(context, `expected a size such as "64kb" or "10mb", found ${JSON.stringify(value)}`);
      } else if (bytes < minBytes || bytes > maxBytes) {
        const range = `from ${minBytes / 1_024}kb to ${maxBytes / 1_024}kb`;
        fail(context, `expected a size ${range}, found ${JSON.stringify(value)}`);
      }
    })
    .meta({ pattern: "^\\d{1,12}(?:\\.\\d{1,3})?(?:[bB]|[kKmMgG][bB])$" });

export const method = (): z.ZodString =>
  text("an HTTP method in capitals").regex(/^[A-Z][A-Z-]{0,31}$/, { error: "expected an HTTP method in capitals" });

export const headerName = (): z.ZodString =>
  text("a header name").regex(token, {
    error: "a header name has only letters, digits and any of ! # $ % & ' * + - . ^ _ ` | ~",
  });

/** The name of a header that a route may change. */
export const changeableName = (): z.ZodString =>
  headerName().refine((name) => headerRule(name) !== "refused", {
    error: `this header cannot be changed: ${refusedReason}`,
  });

/** The name of a header that a route may remove from a request. */
export const removableName = (): z.ZodString =>
  changeableName().refine((name) => name.toLowerCase() !== "host", {
    error: "every request has a Host header: set it, or use preserveHost = false to send the upstream's",
  });

/** The messages do not contain the value, which can be a credential. */
export const headerValue = (): z.ZodString =>
  text("a header value")
    .superRefine((value, context) => {
      if (!fieldText.test(value)) {
        fail(context, "a header value may not have line breaks, control characters or anything outside Latin-1");
      }
    })
    .meta({ pattern: fieldText.source });

/** The path prefix of a route. */
export const path = (): z.ZodString =>
  text('a path that starts with "/"')
    .superRefine((value, context) => {
      if (!/^\/[\x21-\x22\x24-\x3e\x40-\x7e]*$/.test(value)) {
        fail(
          context,
          `expected a path that starts with "/", without "?", "#" or spaces, found ${JSON.stringify(value)}`,
        );
      } else if (value.split("/").some((segment) => segment === ".." || segment === ".")) {
        fail(context, `a path may not have "." or ".." as a segment, found ${JSON.stringify(value)}`);
      }
    })
    .meta({ pattern: "^/[\\x21-\\x22\\x24-\\x3e\\x40-\\x7e]*$" });

/** The request target of a probe: a path with an optional query. */
export const target = (): z.ZodString =>
  text('a path that starts with "/"').regex(/^\/[\x21-\x22\x24-\x7e]*$/, {
    error: 'expected a path that starts with "/", without spaces or "#"',
  });

/** Accepts a number in place of a string of digits: most users write `[200]` first. */
const orNumber = (
  schema: z.ZodString,
  range: readonly [min: number, max: number],
): z.ZodType<string, string | number> =>
  z
    .preprocess((value: string | number) => (typeof value === "number" ? String(value) : value), schema)
    .meta({ orNumber: range }) as z.ZodType<string, string | number>;

export const statusRange = (): z.ZodType<string, string | number> => {
  const range = text('a status or a range such as "200-399"')
    .superRefine((value, context) => {
      const match = /^([1-5]\d\d)(?:-([1-5]\d\d))?$/.exec(value);
      if (match === null || Number(match[2] ?? match[1]) < Number(match[1])) {
        fail(context, `expected a status or a range such as "200-399", found ${JSON.stringify(value)}`);
      }
    })
    .meta({ pattern: "^[1-5]\\d\\d(?:-[1-5]\\d\\d)?$" });
  return orNumber(range, [100, 599]);
};

export const retryCondition = (): z.ZodType<RetryCondition, RetryCondition | number> => {
  const condition = text("a condition").regex(/^(?:connect-failure|reset|timeout|grpc-unavailable|429|5\d\d)$/, {
    error: 'expected "connect-failure", "reset", "timeout", "grpc-unavailable", 429 or a status from 500 to 599',
  });
  return orNumber(condition, [429, 599]) as z.ZodType<string, never> as z.ZodType<
    RetryCondition,
    RetryCondition | number
  >;
};

/** The name of a policy, or in code a `Policy` object. */
export const policy = (
  names: readonly PolicyName[],
): z.ZodUnion<[z.ZodEnum<{ [Name in PolicyName]: Name }>, z.ZodCustom<Policy, Policy>]> =>
  z.union([oneOf(names), z.custom<Policy>(isPolicy)], {
    error: `expected one of ${names.map((name) => `"${name}"`).join(", ")}`,
  });

function isPolicy(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { name, pick } = value as Partial<Policy>;
  return typeof name === "string" && name !== "" && typeof pick === "function";
}

export const hashKey = (): z.ZodType<HashKey, HashKey> =>
  text("what to hash").regex(new RegExp(`^(?:client-ip|path|(?:header|cookie|query):${tokenChar}+)$`), {
    error: 'expected "client-ip", "path", "header:NAME", "cookie:NAME" or "query:NAME"',
  }) as z.ZodType<string, string> as z.ZodType<HashKey, HashKey>;

export const cookieName = (): z.ZodString =>
  text("a cookie's name").regex(new RegExp(`^${tokenChar}{1,64}$`), {
    error: "a cookie's name has 1 to 64 letters, digits and any of ! # $ % & ' * + - . ^ _ ` | ~",
  });

export const dnsName = (): z.ZodString =>
  text("a DNS name").regex(/^(?=.{1,253}$)[A-Za-z0-9_](?:[\w-]{0,62}\.)*[\w-]{0,62}\.?$/, {
    error: 'expected a DNS name such as "api.internal" or "_http._tcp.api.internal"',
  });

export const dnsServer = (): z.ZodString =>
  text("the address of a DNS server")
    .superRefine((value, context) => {
      const [, bracketed, plain, port = "53"] = /^(?:\[([^\]]+)\]|([\d.]+))(?::(\d{1,5}))?$/.exec(value) ?? [];
      // Node ends the process for port 0, and takes an invalid port for a different one.
      if (isIP(bracketed ?? plain ?? value) === 0 || Number(port) < 1 || Number(port) > 65_535) {
        fail(context, `expected an address such as "10.0.0.2" or "127.0.0.1:8600", found ${JSON.stringify(value)}`);
      }
    })
    .meta({ pattern: "^(?:[\\d.]+(?::\\d{1,5})?|[\\dA-Fa-f:.]+(?:%\\S+)?|\\[[^\\]]+\\](?::\\d{1,5})?)$" });

export const upstreamUrl = (): z.ZodString =>
  text("a URL")
    .superRefine((value, context) => {
      const parsed = parseUpstreamUrl(value);
      if (typeof parsed === "string") fail(context, parsed);
    })
    .meta({ pattern: "^(?:[hH][tT][tT][pP][sS]?://[^\\s/\\\\?#@]+(?:/[^\\s\\\\?#]*)?|http\\+unix:///[^?#]+)$" });

export const upstreamId = (): z.ZodString =>
  text("a name").regex(/^[\w.:[\]@-]{1,128}$/, { error: "expected 1 to 128 letters, digits or any of . : _ - @ [ ]" });

export const poolName = (): z.ZodString =>
  text("a pool's name").regex(/^[A-Za-z0-9_][\w.-]{0,63}$/, {
    error: "a pool's name has 1 to 64 letters, digits or any of . _ -",
  });

export const hostPattern = (): z.ZodString =>
  text("a host")
    .superRefine((value, context) => {
      const name = /^(?:\*\.)?[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?$/.test(value);
      if (!name && isIP(value.replace(/^\[(.*)\]$/, "$1")) !== 6) {
        const example = 'such as "example.com" or "*.example.com", without a port';
        fail(context, `expected a host ${example}, found ${JSON.stringify(value)}`);
      }
    })
    .meta({
      pattern: "^(?:(?:\\*\\.)?[A-Za-z0-9_-]+(?:\\.[A-Za-z0-9_-]+)*\\.?|\\[?[\\dA-Fa-f:.]+(?:%[^\\]\\s]+)?\\]?)$",
    });

export const network = (): z.ZodString =>
  text("an address or a network")
    .superRefine((value, context) => {
      const [address = "", prefix, ...more] = value.split("/");
      const longest = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
      const fits = prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= longest);
      if (longest < 0 || !fits || more.length > 0) {
        fail(context, `expected an address or a network such as "10.0.0.0/8", found ${JSON.stringify(value)}`);
      }
    })
    .meta({ pattern: "^[\\dA-Fa-f:.]+(?:%[^/\\s]+)?(?:/\\d{1,3})?$" });

/** An address to listen on. */
export const listenAddress = (): z.ZodString =>
  text('an address such as "127.0.0.1:8080"')
    .superRefine((value, context) => {
      const parsed = parseListenAddress(value);
      if (typeof parsed === "string") fail(context, parsed);
    })
    .meta({ pattern: "^(?:unix:.+|(?:\\[[^\\[\\]]*\\]|[^:\\[\\]]*):\\d{1,5})$" });

/** One address to listen on, or several. */
export const listenAddresses = (): z.ZodType<string[], string | string[]> =>
  z.preprocess(
    (listen: string | string[]) => (typeof listen === "string" ? [listen] : listen),
    z
      .array(listenAddress(), { error: 'expected an address such as "127.0.0.1:8080", or an array of them' })
      .min(1, { error: "expected at least one address" }),
  );

/** A substring, or a pattern between slashes. Probes match it against bytes from the network, so it must be linear. */
export const bodyPattern = (): z.ZodString =>
  text("a substring or a /regular expression/").superRefine((value, context) => {
    const source = /^\/(.*)\/$/s.exec(value)?.[1];
    if (source === undefined) return;
    if (source.length > 200) return fail(context, "a pattern may not be longer than 200 characters");
    try {
      new LinearPattern(source);
    } catch (error) {
      const { name, message } = error as Error;
      fail(context, name === "SyntaxError" ? `not a regular expression: ${message}` : message);
    }
  });

function fail(context: z.RefinementCtx, message: string): void {
  context.addIssue({ code: "custom", message });
}
