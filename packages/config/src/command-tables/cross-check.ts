import { type ConfigIssue, didYouMean, parseListenAddress } from "evenkeel";
import type { AdminOptions } from "../options.ts";
import { checkAccessLogFields } from "./check-access-log-fields.ts";
import { isLoopback } from "./listen-address.ts";

/**
 * Finds mistakes in the command's tables that concern more than one key. Skips values of the wrong shape, which the schema
 * reports.
 */
export function crossCheckCommandTables(data: unknown): ConfigIssue[] {
  const { admin, accessLog } = (data ?? {}) as { readonly admin?: unknown; readonly accessLog?: unknown };
  const issues = checkAccessLogFields(accessLog);
  if (typeof admin !== "object" || admin === null) return issues;
  const { listen, token, readToken, readyPools } = admin as { readonly [key in keyof AdminOptions]?: unknown };
  return [
    ...issues,
    ...findMissingToken(listen, token),
    ...findUselessReadToken(token, readToken),
    ...findUnknownPools(readyPools, data as object),
  ];
}

function findMissingToken(listen: unknown, token: unknown): ConfigIssue[] {
  const address = typeof listen === "string" ? parseListenAddress(listen) : "";
  if (token !== undefined || typeof address === "string" || isLoopback(address)) return [];
  const message =
    `other machines can reach ${JSON.stringify(listen)}, and there is no token: ` +
    "add a token here, or listen on 127.0.0.1";
  return [{ path: ["admin", "listen"], message }];
}

/** The messages do not contain the values, which are secrets. */
function findUselessReadToken(token: unknown, readToken: unknown): ConfigIssue[] {
  if (readToken === undefined) return [];
  const path = ["admin", "readToken"];
  if (token === undefined) return [{ path, message: "needs a token beside it: without one, every client may change" }];
  return token === readToken ? [{ path, message: "is the same as the token, and so would allow changes" }] : [];
}

function findUnknownPools(names: unknown, { pools }: { readonly pools?: unknown }): ConfigIssue[] {
  if (!Array.isArray(names) || (pools !== undefined && (typeof pools !== "object" || pools === null))) return [];
  const known = pools === undefined ? ["default"] : Object.keys(pools);
  return names.flatMap((name: unknown, index) => {
    if (typeof name !== "string" || known.includes(name)) return [];
    const message = `there is no pool ${JSON.stringify(name)}${didYouMean(name, known)}`;
    return [{ path: ["admin", "readyPools", index], message }];
  });
}
