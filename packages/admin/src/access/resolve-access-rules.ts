import { type ConfigIssue, OptionsError } from "evenkeel";
import { limits } from "../limits.ts";
import type { AdminOptions } from "../options.ts";
import { type AccessRules, digest } from "./access-control.ts";
import { AttemptLimit } from "./attempt-limit.ts";
import { parseHost } from "./local-addresses.ts";
import { Sessions } from "./sessions.ts";

/** Throws an `OptionsError`, whose messages contain no token. */
export function resolveAccessRules(options: AdminOptions): AccessRules {
  const issues = [...findTokenIssues(options), ...findHostIssues(options.hosts ?? [])];
  if (issues.length > 0) throw new OptionsError(issues);
  const { token, readToken, listen = [], hosts = [] } = options;
  return {
    tokenDigest: token === undefined ? undefined : digest(token),
    readTokenDigest: readToken === undefined ? undefined : digest(readToken),
    hosts: new Set(
      [listen, hosts]
        .flat()
        .map(parseHost)
        .filter((host) => host !== undefined),
    ),
    sessions: new Sessions(),
    bearerLimit: new AttemptLimit(limits.bearerAttempts),
  };
}

function findTokenIssues({ token, readToken }: AdminOptions): ConfigIssue[] {
  const message = "expected visible ASCII characters without spaces, at least one";
  const invalid = Object.entries({ token, readToken }).flatMap(([name, value]) =>
    value === undefined || (typeof value === "string" && /^[\x21-\x7e]+$/.test(value))
      ? []
      : [{ path: [name], message }],
  );
  if (readToken === undefined || invalid.length > 0) return invalid;
  if (token === undefined)
    return [{ path: ["readToken"], message: "needs a token: without one, every client may change" }];
  return token === readToken ? [{ path: ["readToken"], message: "is the same as the token" }] : [];
}

function findHostIssues(hosts: readonly unknown[]): ConfigIssue[] {
  return hosts.flatMap((host, index) =>
    typeof host === "string" && parseHost(host) !== undefined
      ? []
      : [{ path: ["hosts", index], message: 'expected a host such as "admin.example.com"' }],
  );
}
