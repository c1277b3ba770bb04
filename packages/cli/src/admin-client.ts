import { type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { text } from "node:stream/consumers";
import { Failure, reasonOf } from "./failure.ts";
import { limits } from "./limits.ts";

/** The admin API of a running proxy, and its token. */
export interface AdminClientOptions {
  /** The URL of the admin API, or "unix:" and the path of its socket. */
  readonly admin: string;
  readonly token?: string;
}

interface Call {
  readonly body?: object;
  /** Milliseconds for the response. */
  readonly timeoutMs?: number;
}

/** Calls the admin API of a running proxy. Throws a `Failure` with a message of one line. */
export async function callAdmin<T>(
  { admin, token }: AdminClientOptions,
  method: string,
  path: string,
  { body, timeoutMs = limits.adminCallMs }: Call = {},
): Promise<T> {
  const sent = body === undefined ? undefined : JSON.stringify(body);
  const headers = {
    accept: "application/json",
    ...(sent !== undefined && { "content-type": "application/json", "content-length": Buffer.byteLength(sent) }),
    ...(token !== undefined && token !== "" && { authorization: `Bearer ${token}` }),
  };
  const { status, content } = await send(targetOf(admin, path), { method, headers, timeoutMs }, sent).catch(
    (error: unknown) => {
      throw new Failure(`cannot reach the admin API at ${admin}: ${reasonOf(error)}`);
    },
  );
  const response = parse(content);
  if (status >= 200 && status <= 299) return response as T;
  const { message } = (response as { error?: { message?: unknown } } | undefined)?.error ?? {};
  const hint = status === 401 ? " (see --token)" : "";
  throw new Failure(`${typeof message === "string" ? message : `the response has status ${status}`}${hint}`);
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
    throw new Failure(`expected the URL of an admin API, found ${JSON.stringify(admin)}`);
  }
}

interface Head {
  readonly method: string;
  readonly headers: Readonly<Record<string, string | number>>;
  readonly timeoutMs: number;
}

/** Does not follow redirects, which would send the token to another server. */
function send(
  { url, socketPath }: Target,
  { method, headers, timeoutMs }: Head,
  body: string | undefined,
): Promise<{ status: number; content: string }> {
  const options = {
    method,
    headers,
    agent: false,
    signal: AbortSignal.timeout(timeoutMs),
    ...(socketPath !== undefined && { socketPath }),
  } as const;
  const request = (url.protocol === "https:" ? requestHttps : requestHttp)(url, options);
  return new Promise((resolve, reject) => {
    request.once("error", reject);
    request.once("response", (response: IncomingMessage) => {
      text(response).then((content) => resolve({ status: response.statusCode ?? 0, content }), reject);
    });
    request.end(body);
  });
}

function parse(content: string): unknown {
  try {
    return JSON.parse(content);
  } catch {
    throw new Failure("the response does not come from an admin API; check the port in --admin");
  }
}
