import type { IncomingRequest } from "../client/client-exchange.ts";
import { OptionsError, show } from "../config/issues.ts";
import { isTable } from "../config/merge.ts";
import type { ExplainRequest } from "./explanation.ts";

/**
 * Converts a description to the form that Node parses a request into. Throws an `OptionsError` for an invalid description.
 * A valid description may still be a request that the proxy refuses.
 */
export function createSyntheticRequest(request: ExplainRequest): IncomingRequest {
  checkRequest(request);
  const { method = "GET", url, headers = {}, client = "127.0.0.1", secure = /^https:/i.test(url) } = request;
  const rawHeaders = Object.entries(headers).flatMap(([name, value]) => [value].flat().flatMap((one) => [name, one]));
  const hasHost = Object.keys(headers).some((name) => name.toLowerCase() === "host");
  if (!hasHost) rawHeaders.unshift("Host", /^https?:\/\/([^/?#]*)/i.exec(url)?.[1] ?? "localhost");
  return {
    method,
    target: url,
    httpVersion: "1.1",
    rawHeaders,
    changedHeaders: undefined,
    remoteAddress: client,
    encrypted: secure,
  };
}

function checkRequest(request: unknown): asserts request is ExplainRequest {
  if (typeof request !== "object" || request === null || Array.isArray(request)) {
    const message = `expected a description such as { url: "/api" }, found ${show(request)}`;
    throw new OptionsError([{ path: ["request"], message }]);
  }
  const { method, url, headers, client, secure }: Partial<Record<keyof ExplainRequest, unknown>> = request;
  const issues = [
    typeof url !== "string" && { path: ["url"], message: 'expected a path such as "/api", or a URL' },
    !isOptionalString(method) && { path: ["method"], message: "expected an HTTP method" },
    !isOptionalString(client) && { path: ["client"], message: "expected an address" },
    secure !== undefined && typeof secure !== "boolean" && { path: ["secure"], message: "expected true or false" },
    !areOptionalHeaders(headers) && {
      path: ["headers"],
      message: "expected an object of header names and strings or arrays of strings",
    },
  ].filter((issue) => issue !== false);
  if (issues.length > 0) throw new OptionsError(issues);
}

/** Rejects a `Map` or a `Headers`, which have no own properties and would look like no headers. */
function areOptionalHeaders(headers: unknown): boolean {
  if (headers === undefined) return true;
  return (
    isTable(headers) && Object.values(headers).every((value) => [value].flat().every((one) => typeof one === "string"))
  );
}

function isOptionalString(value: unknown): boolean {
  return value === undefined || typeof value === "string";
}
