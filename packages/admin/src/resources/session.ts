/** Signing in and out, for browsers. */

import type { IncomingMessage } from "node:http";
import { OptionsError } from "evenkeel";
import { type Access, type AccessRules, roleOf } from "../access/access-control.ts";
import type { AttemptLimit } from "../access/attempt-limit.ts";
import { expiredCookie } from "../access/sessions.ts";
import { HttpError } from "../http/http-error.ts";
import { expectEmptyBody, expectObject } from "../http/request-body.ts";
import { type AdminResponse, json, noContent } from "../http/response.ts";
import type { SessionInfo } from "../overview/overview.ts";

export function showSession({ role }: Access, { tokenDigest }: AccessRules): AdminResponse {
  const info: SessionInfo = { role, signIn: tokenDigest !== undefined };
  return json(200, info);
}

/** No error repeats the token. */
export function signIn(req: IncomingMessage, rules: AccessRules, limit: AttemptLimit, body: unknown): AdminResponse {
  if (rules.tokenDigest === undefined) {
    throw new HttpError(409, "no_token", "the admin API has no token: every client on this machine may use it");
  }
  limit.check(req);
  const role = roleOf(tokenOf(body), rules);
  if (role === undefined) {
    limit.countWrong(req);
    throw new HttpError(401, "invalid_token", "this is not a token of the admin API");
  }
  return noContent({ "set-cookie": rules.sessions.begin(req, role) });
}

export function signOut(req: IncomingMessage, access: Access, rules: AccessRules, body: unknown): AdminResponse {
  expectEmptyBody(body);
  rules.sessions.end(access.session);
  return noContent({ "set-cookie": expiredCookie(req) });
}

function tokenOf(body: unknown): string {
  const { token, ...others } = expectObject(body) as { readonly token?: unknown };
  const issues = Object.keys(others).map((key) => ({ path: [key], message: "unknown key" }));
  if (typeof token !== "string") issues.push({ path: ["token"], message: "expected a string" });
  if (issues.length > 0 || typeof token !== "string") throw new OptionsError(issues);
  return token;
}
