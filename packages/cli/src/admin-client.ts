import { Failure, reasonOf } from "./failure.ts";
import { limits } from "./limits.ts";

/** Which proxy, and what opens it. */
export interface RemoteOptions {
  /** The URL of its admin API. */
  readonly admin: string;
  readonly token?: string;
}

/** Asks the admin API of a running proxy. Throws a `Failure` that says in one line what is wrong. */
export async function callAdmin<T>(
  { admin, token }: RemoteOptions,
  method: string,
  path: string,
  body?: object,
): Promise<T> {
  const response = await ask(urlOf(admin, path), {
    method,
    headers: {
      accept: "application/json",
      ...(body !== undefined && { "content-type": "application/json" }),
      ...(token !== undefined && token !== "" && { authorization: `Bearer ${token}` }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    redirect: "error",
    signal: AbortSignal.timeout(limits.adminCallMs),
  });
  const answer = parse(await response.text().catch((error: unknown) => throwUnreachable(admin, error)));
  if (response.ok) return answer as T;
  const { message } = (answer as { error?: { message?: unknown } } | undefined)?.error ?? {};
  const hint = response.status === 401 ? " (see --token)" : "";
  throw new Failure(`${typeof message === "string" ? message : `the answer is ${response.status}`}${hint}`);

  async function ask(url: URL, init: RequestInit): Promise<Response> {
    try {
      return await fetch(url, init);
    } catch (error) {
      return throwUnreachable(admin, error);
    }
  }
}

function urlOf(admin: string, path: string): URL {
  try {
    const base = new URL(admin.includes("://") ? admin : `http://${admin}`);
    return new URL(`${base.origin}${base.pathname.replace(/\/$/, "")}${path}`);
  } catch {
    throw new Failure(`expected the URL of an admin API, found ${JSON.stringify(admin)}`);
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Failure("the answer is not that of an admin API; does --admin name the right port?");
  }
}

function throwUnreachable(admin: string, error: unknown): never {
  const { cause = error } = error as Error;
  throw new Failure(`cannot reach the admin API at ${admin}: ${reasonOf(cause)}`);
}
