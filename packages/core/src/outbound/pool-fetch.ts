import * as undici from "undici";

/**
 * `fetch` by our own undici, so that neither the version that Node has built in nor an app that has put something else in
 * its place matters. What Node's own classes make (`Request`, `FormData`) is taken apart, since it is foreign to it.
 */
export function fetchBy(
  dispatcher: undici.Dispatcher,
  base: string,
  input: string | URL | Request,
  init: RequestInit | undefined,
): Promise<Response> {
  const [url, given] = typeof input === "string" || input instanceof URL ? [input, init] : takeApart(input, init);
  const options = { ...given, dispatcher } as undici.RequestInit;
  if (given?.body instanceof FormData) options.body = ownForm(given.body);
  const absolute = typeof url === "string" ? resolved(url, base) : url;
  // The types of both are the same but for their declarations.
  return undici.fetch(absolute, options) as unknown as Promise<Response>;
}

/** A URL that is none is left as it is: `fetch` says so by rejecting, not by throwing. */
function resolved(url: string, base: string): string | URL {
  return URL.canParse(url, base) ? new URL(url, base) : url;
}

function takeApart(request: Request, init: RequestInit | undefined): [string, RequestInit] {
  const { method, headers, body, signal, redirect, integrity } = request;
  const own = { method, headers, body, signal, redirect, integrity, ...(body !== null && { duplex: "half" }) };
  return [request.url, { ...own, ...init } as RequestInit];
}

function ownForm(form: FormData): undici.FormData {
  const own = new undici.FormData();
  for (const [name, value] of form) own.append(name, value);
  return own;
}
