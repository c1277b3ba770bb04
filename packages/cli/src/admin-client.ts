import { type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { Failure, reasonOf } from "./failure.ts";
import { limits } from "./limits.ts";

/** The admin API of a running proxy, and its token. */
export interface AdminClientOptions {
  /** The URL of the admin API, or "unix:" and the path of its socket. */
  readonly admin: string;
  readonly token?: string;
}

export interface CallOptions {
  readonly body?: object;
  /** Milliseconds for the response. */
  readonly timeoutMs?: number;
  /** Ends the call early. */
  readonly signal?: AbortSignal;
}

/** The body of an error response. The response may come from another server, so nothing is certain. */
interface ErrorDocument {
  readonly error?: { readonly code?: unknown; readonly message?: unknown };
}

/** Calls the admin API of a running proxy. Throws a `Failure` with a message of one line. */
export async function callAdmin<T>(
  { admin, token }: AdminClientOptions,
  method: string,
  path: string,
  { body, timeoutMs = limits.adminCallMs, signal }: CallOptions = {},
): Promise<T> {
  const sent = body === undefined ? undefined : JSON.stringify(body);
  const headers = {
    accept: "application/json",
    ...(sent !== undefined && { "content-type": "application/json", "content-length": Buffer.byteLength(sent) }),
    ...(token !== undefined && token !== "" && { authorization: `Bearer ${token}` }),
  };
  const timeout = AbortSignal.timeout(timeoutMs);
  const head = { method, headers, signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]) };
  const { status, content } = await send(targetOf(admin, path), head, sent).catch((error: unknown) => {
    if (error instanceof Failure) throw error;
    throw new Failure(`cannot reach the admin API at ${admin}: ${reasonOf(error)}`, "unreachable");
  });
  const response = parse(content);
  if (status >= 200 && status <= 299) return response as T;
  const { code, message } = (response as ErrorDocument | undefined)?.error ?? {};
  // The port of the proxy itself. No admin API has routes.
  if (code === "no_route") throw notAdminApi();
  const hint = status === 401 ? " (see --token)" : "";
  throw new Failure(
    `${typeof message === "string" ? message : `the response has status ${status}`}${hint}`,
    typeof code === "string" ? code : undefined,
  );
}

interface Target {
  readonly url: URL;
  readonly socketPath?: string;
}

function targetOf(admin: string, path: string): Target {
  if (admin.startsWith("unix:")) return { url: new URL(`http://localhost${path}`), socketPath: admin.slice(5) };
  try {
    const base = new URL(admin.includes("://") ? admin : `http://${admin}`);
    return { url: new URL(`${base.origin}${base.pathname.replace(/\/$/, "")}${path}`) };
  } catch {
    throw new Failure(`expected the URL of an admin API, found ${JSON.stringify(admin)}`, "bad_argument");
  }
}

interface Head {
  readonly method: string;
  readonly headers: Readonly<Record<string, string | number>>;
  readonly signal: AbortSignal;
}

/** Does not follow redirects, which would send the token to another server. */
function send(
  { url, socketPath }: Target,
  { method, headers, signal }: Head,
  body: string | undefined,
): Promise<{ status: number; content: string }> {
  const options = {
    method,
    headers,
    agent: false,
    signal,
    ...(socketPath !== undefined && { socketPath }),
  } as const;
  const request = (url.protocol === "https:" ? requestHttps : requestHttp)(url, options);
  return new Promise((resolve, reject) => {
    request.once("error", reject);
    request.once("response", (response: IncomingMessage) => {
      readText(response).then((content) => resolve({ status: response.statusCode ?? 0, content }), reject);
    });
    request.end(body);
  });
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > limits.adminResponseBytes) throw notAdminApi();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function parse(content: string): unknown {
  try {
    return JSON.parse(content);
  } catch {
    throw notAdminApi();
  }
}

/** The error for a response that no admin API sends. */
export function notAdminApi(): Failure {
  return new Failure("the response does not come from an admin API; check the port in --admin", "not_admin_api");
}
