import { HttpError } from "./http/http-error.ts";
import { type AdminResponse, json, type StreamingResponse } from "./http/response.ts";
import { createMetrics } from "./metrics/metrics.ts";
import type { AdminOptions } from "./options.ts";
import type { EventStream } from "./resources/event-stream.ts";
import { explainRequest } from "./resources/explain.ts";
import {
  addUpstream,
  changeUpstream,
  listPools,
  listUpstreams,
  type RouteParams,
  removeUpstream,
  showPool,
  showUpstream,
} from "./resources/pools.ts";
import { createReadiness } from "./resources/readiness.ts";
import { reload, restart } from "./resources/replacements.ts";
import type { AdminTarget } from "./target/admin-target.ts";

type Action = (
  params: RouteParams,
  body: unknown,
) => AdminResponse | StreamingResponse | Promise<AdminResponse | StreamingResponse>;

/** One resource: the segments of its path, with the parameters ":pool" and ":upstream", and an action for each method. */
export interface Route {
  readonly segments: readonly string[];
  readonly actions: Readonly<Record<string, Action>>;
  /** Needs no token: a load balancer or an orchestrator requests it. */
  readonly isPublic: boolean;
}

export interface Match {
  readonly route: Route;
  readonly params: RouteParams;
}

/** Creates all resources of the admin API of one target. */
export function createRoutes(target: AdminTarget, events: EventStream, options: AdminOptions): readonly Route[] {
  const routes = [
    route("/healthz", { GET: () => json(200, { status: "ok" }) }, true),
    route("/readyz", { GET: createReadiness(target, options) }, true),
    route("/api/pools", { GET: () => listPools(target) }),
    route("/api/pools/:pool", { GET: (params) => showPool(target, params) }),
    route("/api/pools/:pool/upstreams", {
      GET: (params) => listUpstreams(target, params),
      POST: (params, body) => addUpstream(target, params, body),
    }),
    route("/api/pools/:pool/upstreams/:upstream", {
      GET: (params) => showUpstream(target, params),
      PATCH: (params, body) => changeUpstream(target, params, body),
      DELETE: (params, body) => removeUpstream(target, params, body),
    }),
    route("/api/explain", { GET: (params) => explainRequest(target, params) }),
    route("/api/events", { GET: () => events }),
    route("/api/workers", { GET: async () => json(200, { workers: (await target.workers?.()) ?? [] }) }),
    route("/api/reload", { POST: (_params, body) => reload(options.onReload, body) }),
    route("/api/restart", { POST: (_params, body) => restart(options.onRestart, body) }),
  ];
  if (options.metrics === false) return routes;
  return [...routes, route("/metrics", { GET: createMetrics(target, options.listener) })];
}

/** Whether a path is that of a public resource. Such a path has no parameters, and nothing is decoded. */
export function isPublicPath(routes: readonly Route[], url: string): boolean {
  const path = pathOf(url);
  return routes.some(({ isPublic, segments }) => isPublic && path === `/${segments.join("/")}`);
}

/** Returns the resource at a path, and its parameters. Throws a 400 for a path that cannot be decoded. */
export function matchRoute(routes: readonly Route[], url: string): Match | undefined {
  const path = pathOf(url);
  const query = new URLSearchParams(/\?([^#]*)/s.exec(url)?.[1] ?? "");
  const names = path.split("/").slice(1);
  for (const route of routes) {
    const { segments } = route;
    if (!path.startsWith("/") || segments.length !== names.length) continue;
    const params = { pool: "", upstream: "", query };
    const matches = segments.every((segment, index) => {
      const text = names[index] ?? "";
      if (segment !== ":pool" && segment !== ":upstream") return segment === text;
      params[segment === ":pool" ? "pool" : "upstream"] = decode(text);
      return text !== "";
    });
    if (matches) return { route, params };
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

function route(path: string, actions: Route["actions"], isPublic = false): Route {
  return { segments: path.split("/").slice(1), actions, isPublic };
}

function pathOf(url: string): string {
  return url.replace(/[?#].*$/s, "");
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new HttpError(400, "bad_request", "the path has an invalid percent-encoding");
  }
}
