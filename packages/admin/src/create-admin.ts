import type { IncomingMessage, ServerResponse } from "node:http";
import { didYouMean, OptionsError, type Proxy as ReverseProxy } from "evenkeel";
import { type AccessRules, checkAccess, digest } from "./access/access-control.ts";
import { parseHost } from "./access/local-addresses.ts";
import { HttpError } from "./http/http-error.ts";
import { readJsonBody } from "./http/request-body.ts";
import { type AdminResponse, type StreamingResponse, send, toErrorResponse } from "./http/response.ts";
import type { AdminOptions } from "./options.ts";
import { EventStream } from "./resources/event-stream.ts";
import { createRoutes, findAction, isPublicPath, matchRoute, type Route } from "./routes.ts";
import type { AdminTarget } from "./target/admin-target.ts";
import { proxyTarget } from "./target/proxy-target.ts";

/** The admin API of one proxy, or of a group of workers. */
export interface Admin {
  /** For `http.createServer`, or mounted in an app at any path. Responds to every request, and never throws. */
  readonly handler: (req: IncomingMessage, res: ServerResponse) => void;
  /** Ends the event streams, and responds to further requests with 503. Does not close the target or the server. */
  close(): void;
}

/**
 * Creates the admin API of a proxy, or of any other target: health, readiness, metrics, and resources to inspect and change
 * its pools.
 *
 * Throws an `OptionsError` for a token that is empty or is not a valid header value, for invalid `hosts`, and for
 * `readyPools` that the target does not have.
 */
export function createAdmin(of: ReverseProxy | AdminTarget, options: AdminOptions = {}): Admin {
  const target = "poolNames" in of ? of : proxyTarget(of);
  const accessRules = resolveAccessRules(options);
  checkReadyPools(options.readyPools, target);
  const events = new EventStream(target);
  const routes = createRoutes(target, events, options);
  let closed = false;

  const respond = async (req: IncomingMessage): Promise<AdminResponse | StreamingResponse> => {
    if (closed) throw new HttpError(503, "closed", "the admin API is closed", { connection: "close" });
    return handleRequest(req, accessRules, routes);
  };

  return {
    handler(req, res) {
      // A client may close its connection while the response is being written.
      res.on("error", () => {});
      startInTurn(res, () => {
        respond(req)
          .catch(toErrorResponse)
          .then((response) => send(req, res, response))
          .catch((error: unknown) => send(req, res, toErrorResponse(error)))
          .catch(() => res.destroy());
      });
    },
    close() {
      closed = true;
      events.close();
    },
  };
}

async function handleRequest(
  req: IncomingMessage,
  rules: AccessRules,
  routes: readonly Route[],
): Promise<AdminResponse | StreamingResponse> {
  const { url = "" } = req;
  checkAccess(req, rules, isPublicPath(routes, url));
  const match = matchRoute(routes, url);
  if (match === undefined) throw new HttpError(404, "not_found", "there is nothing at this path");
  const method = req.method ?? "";
  const action = findAction(match.route, method);
  const reads = method === "GET" || method === "HEAD";
  return action(match.params, reads ? undefined : await readJsonBody(req));
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

function resolveAccessRules({ token, listen = [], hosts = [] }: AdminOptions): AccessRules {
  if (token !== undefined && (typeof token !== "string" || !/^[\x21-\x7e]+$/.test(token))) {
    const message = "expected visible ASCII characters without spaces, at least one";
    throw new OptionsError([{ path: ["token"], message }]);
  }
  const invalid = hosts.findIndex((host) => typeof host !== "string" || parseHost(host) === undefined);
  if (invalid !== -1) {
    throw new OptionsError([{ path: ["hosts", invalid], message: 'expected a host such as "admin.example.com"' }]);
  }
  const known = [listen, hosts].flat().map(parseHost);
  return {
    tokenDigest: token === undefined ? undefined : digest(token),
    hosts: new Set(known.filter((host) => host !== undefined)),
  };
}
