import type { IncomingMessage } from "node:http";
import type { Access, Protection } from "./access/access-control.ts";
import { HttpError } from "./http/http-error.ts";
import type { AdminResponse, StreamingResponse } from "./http/response.ts";

/** The parameters in a request's path, empty if the route has none, and its query. */
export interface RouteParams {
  readonly pool: string;
  readonly upstream: string;
  /** The rest of the path, as it was sent. */
  readonly file: string;
  readonly query: URLSearchParams;
}

/** What else an action may need to know of a request. */
export interface Caller {
  readonly req: IncomingMessage;
  readonly access: Access;
}

export type Action = (
  params: RouteParams,
  body: unknown,
  caller: Caller,
) => AdminResponse | StreamingResponse | Promise<AdminResponse | StreamingResponse>;

/**
 * One resource: the segments of its path, with the parameters ":pool" and ":upstream" and at the end ":file", which may have
 * slashes, and an action for each method.
 */
export interface Route {
  readonly segments: readonly string[];
  readonly actions: Readonly<Record<string, Action>>;
  readonly protection: Protection;
}

export interface Match {
  readonly route: Route;
  readonly params: RouteParams;
}

export function route(path: string, actions: Route["actions"], protection: Protection = "token"): Route {
  return { segments: path.split("/").slice(1), actions, protection };
}

/** Returns who may request a path, without decoding anything. An unknown path needs a token like most known ones. */
export function protectionOf(routes: readonly Route[], url: string): Protection {
  const names = namesOf(url);
  return routes.find(({ segments }) => bind(segments, names) !== undefined)?.protection ?? "token";
}

/** Returns the resource at a path, and its parameters. Throws a 400 for a path that cannot be decoded. */
export function matchRoute(routes: readonly Route[], url: string): Match | undefined {
  const names = namesOf(url);
  for (const route of routes) {
    const bound = bind(route.segments, names);
    if (bound === undefined) continue;
    const { pool = "", upstream = "", file = "" } = bound;
    const query = new URLSearchParams(/\?([^#]*)/s.exec(url)?.[1] ?? "");
    return { route, params: { pool: decode(pool), upstream: decode(upstream), file, query } };
  }
  return undefined;
}

/** Returns the action for a method. HEAD uses GET: node:http omits the body. Throws a 405. */
export function findAction({ actions }: Route, method: string): Action {
  const name = method === "HEAD" ? "GET" : method;
  const action = Object.hasOwn(actions, name) ? actions[name] : undefined;
  if (action !== undefined) return action;
  const allow = Object.keys(actions).flatMap((allowed) => (allowed === "GET" ? ["GET", "HEAD"] : [allowed]));
  const message = `allowed here: ${allow.join(", ")}`;
  throw new HttpError(405, "method_not_allowed", message, { allow: allow.join(", ") });
}

type Bound = { [name in "pool" | "upstream" | "file"]?: string };

/** Undefined unless the names of a path fit the segments. No parameter is empty. */
function bind(segments: readonly string[], names: readonly string[]): Bound | undefined {
  const bound: Bound = {};
  const isOpen = segments.at(-1) === ":file";
  if (isOpen ? names.length < segments.length : names.length !== segments.length) return undefined;
  for (const [index, segment] of segments.entries()) {
    const name = names[index] ?? "";
    if (segment === ":file") bound.file = names.slice(index).join("/");
    else if (segment === ":pool" || segment === ":upstream") bound[segment === ":pool" ? "pool" : "upstream"] = name;
    else if (segment !== name) return undefined;
  }
  return Object.values(bound).every((value) => value !== "") ? bound : undefined;
}

/** Returns the segments of a path; none for a target that is no path, such as `*`. */
function namesOf(url: string): readonly string[] {
  const path = url.replace(/[?#].*$/s, "");
  return path.startsWith("/") ? path.split("/").slice(1) : [];
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new HttpError(400, "bad_request", "the path has an invalid percent-encoding");
  }
}
