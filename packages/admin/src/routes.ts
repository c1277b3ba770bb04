import type { Proxy as ReverseProxy } from "evenkeel";
import { HttpError } from "./http/http-error.ts";
import { expectEmptyBody } from "./http/request-body.ts";
import { type AdminResponse, json, reloadErrorResponse, type StreamingResponse } from "./http/response.ts";
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
import { readiness } from "./resources/readiness.ts";

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

/** Creates all resources of the admin API of one proxy. */
export function createRoutes(proxy: ReverseProxy, events: EventStream, options: AdminOptions): readonly Route[] {
  const routes = [
    route("/healthz", { GET: () => json(200, { status: "ok" }) }, true),
    route("/readyz", { GET: () => readiness(proxy.snapshot(), options.readyPools ?? []) }, true),
    route("/api/pools", { GET: () => listPools(proxy) }),
    route("/api/pools/:pool", { GET: (params) => showPool(proxy, params) }),
    route("/api/pools/:pool/upstreams", {
      GET: (params) => listUpstreams(proxy, params),
      POST: (params, body) => addUpstream(proxy, params, body),
    }),
    route("/api/pools/:pool/upstreams/:upstream", {
      GET: (params) => showUpstream(proxy, params),
      PATCH: (params, body) => changeUpstream(proxy, params, body),
      DELETE: (params, body) => removeUpstream(proxy, params, body),
    }),
    route("/api/explain", { GET: (params) => explainRequest(proxy, params) }),
    route("/api/events", { GET: () => events }),
    route("/api/reload", { POST: (_params, body) => reload(options.onReload, body) }),
  ];
  if (options.metrics === false) return routes;
  const metrics = createMetrics(options.listener);
  return [...routes, route("/metrics", { GET: () => metrics(proxy.snapshot()) })];
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

async function reload(onReload: AdminOptions["onReload"], body: unknown): Promise<AdminResponse> {
  expectEmptyBody(body);
  if (onReload === undefined) {
    throw new HttpError(501, "not_implemented", "this proxy was not given a configuration to load again");
  }
  try {
    return json(200, await onReload());
  } catch (error) {
    return reloadErrorResponse(error);
  }
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
