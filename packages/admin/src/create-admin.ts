import type { IncomingMessage, ServerResponse } from "node:http";
import { didYouMean, OptionsError, type Proxy as ReverseProxy } from "evenkeel";
import { type Access, type AccessRules, checkAccess, isRead } from "./access/access-control.ts";
import { resolveAccessRules } from "./access/resolve-access-rules.ts";
import { createRoutes } from "./create-routes.ts";
import { Sampler } from "./history/sampler.ts";
import { HttpError } from "./http/http-error.ts";
import { readJsonBody } from "./http/request-body.ts";
import { type AdminResponse, type StreamingResponse, send, toErrorResponse } from "./http/response.ts";
import type { AdminOptions } from "./options.ts";
import { EventStream } from "./resources/event-stream.ts";
import { findAction, matchRoute, protectionOf, type Route } from "./routes.ts";
import type { AdminTarget } from "./target/admin-target.ts";
import { proxyTarget } from "./target/proxy-target.ts";

/** The admin API of one proxy, or of a group of workers. */
export interface Admin {
  /** For `http.createServer`, or mounted in an app at any path. Responds to every request, and never throws. */
  readonly handler: (req: IncomingMessage, res: ServerResponse) => void;
  /**
   * Ends the history, the sessions and the event streams, and responds to further requests with 503. Does not close the target
   * or the server.
   */
  close(): void;
}

/**
 * Creates the admin API of a proxy, or of any other target: the dashboard, health, readiness, metrics, and resources to inspect
 * and change its pools. It takes samples of the target until it is closed.
 *
 * Throws an `OptionsError` for a token that is empty or is not a valid header value, for a `readToken` without a token, for
 * invalid `hosts`, and for `readyPools` that the target does not have.
 */
export function createAdmin(of: ReverseProxy | AdminTarget, options: AdminOptions = {}): Admin {
  const target = "poolNames" in of ? of : proxyTarget(of);
  const rules = resolveAccessRules(options);
  checkReadyPools(options.readyPools, target);
  const events = new EventStream(target);
  const sampler = new Sampler(target);
  const routes = createRoutes({ target, events, sampler, rules }, options);
  let closed = false;
  if (options.sampleAfter === undefined) sampler.start();
  else void options.sampleAfter.finally(() => sampler.start()).catch(() => {});

  const respond = async (req: IncomingMessage, res: ServerResponse): Promise<AdminResponse | StreamingResponse> => {
    if (closed) throw new HttpError(503, "closed", "the admin API is closed", { connection: "close" });
    return handleRequest(req, res, rules, routes);
  };

  return {
    handler(req, res) {
      // A client may close its connection while the response is being written.
      res.on("error", () => {});
      startInTurn(res, () => {
        respond(req, res)
          .catch(toErrorResponse)
          .then((response) => send(req, res, response))
          .catch((error: unknown) => send(req, res, toErrorResponse(error)))
          .catch(() => res.destroy());
      });
    },
    close() {
      closed = true;
      sampler.stop();
      rules.sessions.endAll();
      events.close();
    },
  };
}

async function handleRequest(
  req: IncomingMessage,
  res: ServerResponse,
  rules: AccessRules,
  routes: readonly Route[],
): Promise<AdminResponse | StreamingResponse> {
  const { url = "", method = "" } = req;
  const access = checkAccess(req, rules, protectionOf(routes, url));
  const match = matchRoute(routes, url);
  if (match === undefined) throw new HttpError(404, "not_found", "there is nothing at this path");
  const action = findAction(match.route, method);
  const body = isRead(method) ? undefined : await readJsonBody(req);
  const response = await action(match.params, body, { req, access });
  if ("open" in response) endWithSession(res, access);
  return response;
}

/** A stream shows no more than its session may see. */
function endWithSession(res: ServerResponse, { session }: Access): void {
  if (session === undefined) return;
  session.streams.add(res);
  res.once("close", () => session.streams.delete(res));
}

/**
 * Starts one pipelined request in each turn of the event loop. A client without a token can send thousands of /readyz in one
 * packet, and each of them reads the state of every pool.
 */
function startInTurn(res: ServerResponse, handle: () => void): void {
  if (res.socket !== null) handle();
  else res.once("socket", () => setImmediate(handle));
}

function checkReadyPools(names: unknown, target: AdminTarget): void {
  if (names === undefined) return;
  const pools = [...target.poolNames()];
  if (!Array.isArray(names) || names.some((name) => typeof name !== "string")) {
    throw new OptionsError([{ path: ["readyPools"], message: "expected an array of names of pools" }]);
  }
  const issues = names.flatMap((name, index) =>
    pools.includes(name)
      ? []
      : [{ path: ["readyPools", index], message: `there is no pool "${name}"${didYouMean(name, pools)}` }],
  );
  if (issues.length > 0) throw new OptionsError(issues);
}
