import * as undici from "undici";

/**
 * Calls `fetch` of our own undici, so that neither Node's built-in version nor a global `fetch` that the app has replaced
 * matters. Instances of Node's classes (`Request`, `FormData`) are converted, since undici accepts only its own.
 */
export function fetchThrough(
  dispatcher: undici.Dispatcher,
  base: string,
  input: string | URL | Request,
  init: RequestInit | undefined,
): Promise<Response> {
  const [url, given] = typeof input === "string" || input instanceof URL ? [input, init] : splitRequest(input, init);
  const options = { ...given, dispatcher } as undici.RequestInit;
  if (given?.body instanceof FormData) options.body = convertForm(given.body);
  const absolute = typeof url === "string" ? resolveUrl(url, base) : url;
  // The types are equal, but declared twice.
  return undici.fetch(absolute, options) as unknown as Promise<Response>;
}

/** Leaves an invalid URL as it is, since `fetch` rejects it instead of throwing. */
function resolveUrl(url: string, base: string): string | URL {
  return URL.canParse(url, base) ? new URL(url, base) : url;
}

function splitRequest(request: Request, init: RequestInit | undefined): [string, RequestInit] {
  const { method, headers, body, signal, redirect, integrity } = request;
  const own = { method, headers, body, signal, redirect, integrity, ...(body !== null && { duplex: "half" }) };
  return [request.url, { ...own, ...init } as RequestInit];
}

function convertForm(form: FormData): undici.FormData {
  const own = new undici.FormData();
  for (const [name, value] of form) own.append(name, value);
  return own;
}
