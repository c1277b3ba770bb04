import type { Proxy as ReverseProxy } from "evenkeel";
import { expectNothing } from "./http/request-body.ts";
import { type Answer, json, Refusal, reloadFailure, type Stream } from "./http/response.ts";
import { createMetrics } from "./metrics/metrics.ts";
import type { AdminOptions } from "./options.ts";
import type { EventStream } from "./resources/event-stream.ts";
import { explainRequest } from "./resources/explain.ts";
import {
  addUpstream,
  changeUpstream,
  listPools,
  listUpstreams,
  removeUpstream,
  showPool,
  showUpstream,
  type Target,
} from "./resources/pools.ts";
import { readiness } from "./resources/readiness.ts";

type Action = (target: Target, body: unknown) => Answer | Stream | Promise<Answer | Stream>;

/** One resource: the segments of its path (":pool" and ":upstream" stand for names) and what its methods do. */
export interface Route {
  readonly segments: readonly string[];
  readonly actions: Readonly<Record<string, Action>>;
  /** Answered without a token: what a load balancer or an orchestrator asks. */
  readonly open: boolean;
}

export interface Match {
  readonly route: Route;
  readonly target: Target;
}

/** Every resource of the admin API of one proxy. */
export function createRoutes(proxy: ReverseProxy, events: EventStream, options: AdminOptions): readonly Route[] {
  const routes = [
    route("/healthz", { GET: () => json(200, { status: "ok" }) }, true),
    route("/readyz", { GET: () => readiness(proxy.snapshot(), options.readyPools ?? []) }, true),
    route("/api/pools", { GET: () => listPools(proxy) }),
    route("/api/pools/:pool", { GET: (target) => showPool(proxy, target) }),
    route("/api/pools/:pool/upstreams", {
      GET: (target) => listUpstreams(proxy, target),
      POST: (target, body) => addUpstream(proxy, target, body),
    }),
    route("/api/pools/:pool/upstreams/:upstream", {
      GET: (target) => showUpstream(proxy, target),
      PATCH: (target, body) => changeUpstream(proxy, target, body),
      DELETE: (target, body) => removeUpstream(proxy, target, body),
    }),
    route("/api/explain", { GET: (target) => explainRequest(proxy, target) }),
    route("/api/events", { GET: () => events }),
    route("/api/reload", { POST: (_target, body) => reload(options.onReload, body) }),
  ];
  if (options.metrics === false) return routes;
  const metrics = createMetrics(options.listener);
  return [...routes, route("/metrics", { GET: () => metrics(proxy.snapshot()) })];
}

/** Whether a request's path names a resource that needs no token. Such a path has no names in it, and nothing is decoded. */
export function isOpen(routes: readonly Route[], url: string): boolean {
  const path = pathOf(url);
  return routes.some(({ open, segments }) => open && path === `/${segments.join("/")}`);
}

/** The resource that a request's path names, with what else its target says. Throws a 400 for a path that cannot be decoded. */
export function matchRoute(routes: readonly Route[], url: string): Match | undefined {
  const path = pathOf(url);
  const query = new URLSearchParams(/\?([^#]*)/s.exec(url)?.[1] ?? "");
  const found = path.split("/").slice(1);
  for (const route of routes) {
    const { segments } = route;
    if (!path.startsWith("/") || segments.length !== found.length) continue;
    const target = { pool: "", upstream: "", query };
    const matches = segments.every((segment, index) => {
      const text = found[index] ?? "";
      if (segment !== ":pool" && segment !== ":upstream") return segment === text;
      target[segment === ":pool" ? "pool" : "upstream"] = decode(text);
      return text !== "";
    });
    if (matches) return { route, target };
  }
  return undefined;
}

/** The action for a method. HEAD is GET, of which node:http leaves the body out. Throws a 405. */
export function actionFor({ actions }: Route, method: string): Action {
  const name = method === "HEAD" ? "GET" : method;
  const action = Object.hasOwn(actions, name) ? actions[name] : undefined;
  if (action !== undefined) return action;
  const allow = Object.keys(actions).flatMap((allowed) => (allowed === "GET" ? ["GET", "HEAD"] : [allowed]));
  const message = `allowed here: ${allow.join(", ")}`;
  throw new Refusal(405, "method_not_allowed", message, { allow: allow.join(", ") });
}

async function reload(onReload: AdminOptions["onReload"], body: unknown): Promise<Answer> {
  expectNothing(body);
  if (onReload === undefined) {
    throw new Refusal(501, "not_implemented", "this proxy was not given a configuration to load again");
  }
  try {
    return json(200, await onReload());
  } catch (error) {
    return reloadFailure(error);
  }
}

function route(path: string, actions: Route["actions"], open = false): Route {
  return { segments: path.split("/").slice(1), actions, open };
}

function pathOf(url: string): string {
  return url.replace(/[?#].*$/s, "");
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new Refusal(400, "bad_request", "the path has an invalid percent-encoding");
  }
}
