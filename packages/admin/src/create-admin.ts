import type { IncomingMessage, ServerResponse } from "node:http";
import { didYouMean, OptionsError, type Proxy as ReverseProxy } from "evenkeel";
import { checkAccess, digest, type GuardRules } from "./access/access-control.ts";
import { hostOf } from "./access/local-addresses.ts";
import { readJson } from "./http/request-body.ts";
import { type Answer, Refusal, type Stream, send, toAnswer } from "./http/response.ts";
import type { AdminOptions } from "./options.ts";
import { EventStream } from "./resources/event-stream.ts";
import { actionFor, createRoutes, isOpen, matchRoute, type Route } from "./routes.ts";

/** The admin API of one proxy. */
export interface Admin {
  /** For `http.createServer`, or mounted in an app at any path. Answers every request, and never throws. */
  readonly handler: (req: IncomingMessage, res: ServerResponse) => void;
  /** Answers every further request with 503, and ends streams of events. The proxy and the server stay as they are. */
  close(): void;
}

/**
 * Makes the admin API of a proxy: health, readiness, metrics, and its pools to see and to change.
 *
 * Throws an `OptionsError` for a token that no header can carry, an empty one included, for `hosts` that are none, and for
 * `readyPools` that the proxy does not have.
 */
export function createAdmin(proxy: ReverseProxy, options: AdminOptions = {}): Admin {
  const rules = toRules(options);
  checkReadyPools(options.readyPools, proxy);
  const events = new EventStream(proxy);
  const routes = createRoutes(proxy, events, options);
  let closed = false;

  const answer = async (req: IncomingMessage): Promise<Answer | Stream> => {
    if (closed) throw new Refusal(503, "closed", "the admin API is closed", { connection: "close" });
    return respond(req, rules, routes);
  };

  return {
    handler(req, res) {
      // A client may leave while its answer is being written.
      res.on("error", () => {});
      whenItsTurn(res, () => {
        answer(req)
          .catch(toAnswer)
          .then((found) => send(req, res, found))
          .catch((error: unknown) => send(req, res, toAnswer(error)))
          .catch(() => res.destroy());
      });
    },
    close() {
      closed = true;
      events.close();
    },
  };
}

async function respond(req: IncomingMessage, rules: GuardRules, routes: readonly Route[]): Promise<Answer | Stream> {
  const { url = "" } = req;
  checkAccess(req, rules, isOpen(routes, url));
  const match = matchRoute(routes, url);
  if (match === undefined) throw new Refusal(404, "not_found", "there is nothing at this path");
  const method = req.method ?? "";
  const action = actionFor(match.route, method);
  const reads = method === "GET" || method === "HEAD";
  return action(match.target, reads ? undefined : await readJson(req));
}

/**
 * One pipelined request a turn of the event loop: a client without a token can send thousands of /readyz in one packet, each of
 * which looks at every pool.
 */
function whenItsTurn(res: ServerResponse, handle: () => void): void {
  if (res.socket !== null) handle();
  else res.once("socket", () => setImmediate(handle));
}

function checkReadyPools(names: unknown, { pools }: ReverseProxy): void {
  if (names === undefined) return;
  if (!Array.isArray(names) || names.some((name) => typeof name !== "string")) {
    throw new OptionsError([{ path: ["readyPools"], message: "expected an array of names of pools" }]);
  }
  const issues = names.flatMap((name, index) =>
    pools.has(name)
      ? []
      : [{ path: ["readyPools", index], message: `there is no pool "${name}"${didYouMean(name, [...pools.keys()])}` }],
  );
  if (issues.length > 0) throw new OptionsError(issues);
}

function toRules({ token, listen = [], hosts = [] }: AdminOptions): GuardRules {
  if (token !== undefined && (typeof token !== "string" || !/^[\x21-\x7e]+$/.test(token))) {
    const message = "expected visible ASCII characters without spaces, at least one";
    throw new OptionsError([{ path: ["token"], message }]);
  }
  const wrong = hosts.findIndex((host) => typeof host !== "string" || hostOf(host) === undefined);
  if (wrong !== -1) {
    throw new OptionsError([{ path: ["hosts", wrong], message: 'expected a host such as "admin.example.com"' }]);
  }
  const known = [listen, hosts].flat().map(hostOf);
  return {
    tokenDigest: token === undefined ? undefined : digest(token),
    hosts: new Set(known.filter((host) => host !== undefined)),
  };
}
