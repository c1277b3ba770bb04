/** Requests to the admin API. All paths are relative to the page, so that it works at any path an app mounts it at. */

const timeoutMs = 10_000;

/** A response of the admin API that is no success. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

type Method = "GET" | "POST" | "PATCH" | "DELETE";

/** Resolves with the JSON body of a successful response. Rejects with an `ApiError`, or the error of `fetch`. */
export async function request<T = unknown>(method: Method, path: string, body?: object): Promise<T> {
  const response = await fetch(path, {
    method,
    cache: "no-store",
    credentials: "same-origin",
    redirect: "error",
    signal: AbortSignal.timeout(timeoutMs),
    // A change needs the content type, also without a body: forms of other sites cannot send it.
    ...(method !== "GET" && { headers: { "content-type": "application/json" } }),
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (response.ok) return (text === "" ? undefined : JSON.parse(text)) as T;
  throw toApiError(response.status, text);
}

export function upstreamPath(pool: string, upstream: string): string {
  return `${upstreamsPath(pool)}/${encodeURIComponent(upstream)}`;
}

export function upstreamsPath(pool: string): string {
  return `api/pools/${encodeURIComponent(pool)}/upstreams`;
}

function toApiError(status: number, text: string): ApiError {
  try {
    const { error } = JSON.parse(text) as { error: { code: string; message: string } };
    return new ApiError(status, error.code, error.message);
  } catch {
    return new ApiError(status, "unexpected", `unexpected response with status ${status}`);
  }
}
