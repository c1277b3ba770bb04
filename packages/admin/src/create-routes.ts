import type { AccessRules } from "./access/access-control.ts";
import { AttemptLimit } from "./access/attempt-limit.ts";
import type { Sampler } from "./history/sampler.ts";
import { json } from "./http/response.ts";
import { limits } from "./limits.ts";
import { createMetrics } from "./metrics/metrics.ts";
import type { AdminOptions } from "./options.ts";
import { createOverview } from "./overview/create-overview.ts";
import { showConfig } from "./resources/config.ts";
import { Dashboard } from "./resources/dashboard.ts";
import type { EventStream } from "./resources/event-stream.ts";
import { explainRequest } from "./resources/explain.ts";
import { showFailures } from "./resources/failures.ts";
import { showHistory } from "./resources/history.ts";
import { openApi } from "./resources/open-api.ts";
import {
  addUpstream,
  changeUpstream,
  listPools,
  listUpstreams,
  removeUpstream,
  showPool,
  showUpstream,
} from "./resources/pools.ts";
import { createReadiness } from "./resources/readiness.ts";
import { reload, restart } from "./resources/replacements.ts";
import { showSession, signIn, signOut } from "./resources/session.ts";
import { type Route, route } from "./routes.ts";
import type { AdminTarget } from "./target/admin-target.ts";
import { sharedSnapshot } from "./target/shared-snapshot.ts";

/** What the resources of an admin API share. */
export interface AdminParts {
  readonly target: AdminTarget;
  readonly events: EventStream;
  readonly sampler: Sampler;
  readonly rules: AccessRules;
}

/** Creates all resources of the admin API of one target. */
export function createRoutes(parts: AdminParts, options: AdminOptions): readonly Route[] {
  const { target } = parts;
  const snapshot = sharedSnapshot(target);
  return [
    route("/healthz", { GET: () => json(200, { status: "ok" }) }, "probe"),
    route("/readyz", { GET: createReadiness(snapshot, options) }, "probe"),
    ...sessionRoutes(parts),
    ...overviewRoutes(parts, options, snapshot),
    ...poolRoutes(target),
    route("/api/explain", { GET: (params) => explainRequest(target, params) }),
    route("/api/workers", { GET: async () => json(200, { workers: (await target.workers?.()) ?? [] }) }),
    route("/api/reload", { POST: (_params, body) => reload(options.onReload, body) }),
    route("/api/restart", { POST: (_params, body) => restart(options.onRestart, body) }),
    route("/api/openapi.json", { GET: openApi }),
    ...(options.metrics === false ? [] : [route("/metrics", { GET: createMetrics(target, options.listener) })]),
    ...(options.dashboard === false ? [] : dashboardRoutes()),
  ];
}

function sessionRoutes({ rules }: AdminParts): readonly Route[] {
  const signInLimit = new AttemptLimit(limits.signInAttempts);
  const actions: Route["actions"] = {
    GET: (_params, _body, { access }) => showSession(access, rules),
    POST: (_params, body, { req }) => signIn(req, rules, signInLimit, body),
    DELETE: (_params, body, { req, access }) => signOut(req, access, rules, body),
  };
  return [route("/api/session", actions, "session")];
}

function overviewRoutes(
  { target, events, sampler }: AdminParts,
  options: AdminOptions,
  snapshot: ReturnType<typeof sharedSnapshot>,
): readonly Route[] {
  const overview = createOverview(target, snapshot, sampler, options);
  return [
    route("/api/overview", { GET: async (_params, _body, { access }) => json(200, await overview(access.role)) }),
    route("/api/history", { GET: (params) => showHistory(target, sampler, params) }),
    route("/api/failures", { GET: () => showFailures(target) }),
    route("/api/events", { GET: () => events }),
    route("/api/config", { GET: () => showConfig(target, options) }),
  ];
}

function poolRoutes(target: AdminTarget): readonly Route[] {
  return [
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
  ];
}

function dashboardRoutes(): readonly Route[] {
  const dashboard = new Dashboard();
  return [
    route("/", { GET: (_params, _body, { req }) => dashboard.page(req) }, "page"),
    route("/dashboard/:file", { GET: ({ file }, _body, { req }) => dashboard.file(req, file) }, "page"),
  ];
}
