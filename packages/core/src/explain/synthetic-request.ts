import { OptionsError, show } from "../config/issues.ts";
import { isTable } from "../config/merge.ts";
import type { RawRequest } from "../request/request-head.ts";
import type { ExplainRequest } from "./explanation.ts";

/** With everything that a description may leave out. */
export interface MadeUpRequest extends RawRequest {
  readonly method: string;
  readonly url: string;
  readonly socket: { readonly remoteAddress: string; readonly encrypted: boolean };
}

/**
 * Makes of a description what node makes of a request's bytes. Throws an `OptionsError` for what could not be the
 * description of a request at all; whether the request would be refused is the proxy's to say.
 */
export function makeUpRequest(request: ExplainRequest): MadeUpRequest {
  checkRequest(request);
  const { method = "GET", url, headers = {}, client = "127.0.0.1", secure = /^https:/i.test(url) } = request;
  const rawHeaders = Object.entries(headers).flatMap(([name, value]) => [value].flat().flatMap((one) => [name, one]));
  const hasHost = Object.keys(headers).some((name) => name.toLowerCase() === "host");
  if (!hasHost) rawHeaders.unshift("Host", /^https?:\/\/([^/?#]*)/i.exec(url)?.[1] ?? "localhost");
  const socket = { remoteAddress: client, encrypted: secure };
  return { method, url, rawHeaders, httpVersionMajor: 1, httpVersionMinor: 1, socket };
}

function checkRequest(request: unknown): asserts request is ExplainRequest {
  if (typeof request !== "object" || request === null || Array.isArray(request)) {
    const message = `expected a description such as { url: "/api" }, found ${show(request)}`;
    throw new OptionsError([{ path: ["request"], message }]);
  }
  const { method, url, headers, client, secure }: Partial<Record<keyof ExplainRequest, unknown>> = request;
  const issues = [
    typeof url !== "string" && { path: ["url"], message: 'expected a path such as "/api", or a URL' },
    !isTextOrNothing(method) && { path: ["method"], message: "expected an HTTP method" },
    !isTextOrNothing(client) && { path: ["client"], message: "expected an address" },
    secure !== undefined && typeof secure !== "boolean" && { path: ["secure"], message: "expected true or false" },
    !areHeadersOrNothing(headers) && {
      path: ["headers"],
      message: "expected strings or arrays of strings by the headers' names",
    },
  ].filter((issue) => issue !== false);
  if (issues.length > 0) throw new OptionsError(issues);
}

/** A `Map` or a `Headers` has its fields elsewhere, and would be taken for a request without any. */
function areHeadersOrNothing(headers: unknown): boolean {
  if (headers === undefined) return true;
  return (
    isTable(headers) && Object.values(headers).every((value) => [value].flat().every((one) => typeof one === "string"))
  );
}

function isTextOrNothing(value: unknown): boolean {
  return value === undefined || typeof value === "string";
}
