import { didYouMean } from "evenkeel";
import { HttpError } from "../http/http-error.ts";
import { type AdminResponse, json } from "../http/response.ts";
import type { RouteParams } from "../routes.ts";
import type { AdminTarget } from "../target/admin-target.ts";

const parameters = ["url", "method", "host", "header", "client", "secure"];

/** Explains how the target would handle the request that the query describes. Throws a 400 for an invalid query. */
export async function explainRequest(target: AdminTarget, { query }: RouteParams): Promise<AdminResponse> {
  for (const name of query.keys()) {
    if (!parameters.includes(name)) throw badRequest(`unknown parameter "${name}"${didYouMean(name, parameters)}`);
  }
  const url = single(query, "url");
  if (url === undefined) throw badRequest('give the request\'s path or URL, as in "/api/explain?url=/orders"');
  const method = single(query, "method");
  const client = single(query, "client");
  const secure = toFlag(single(query, "secure"));
  const explanation = await target.explain({
    url,
    headers: toHeaders(query),
    ...(method !== undefined && { method }),
    ...(client !== undefined && { client }),
    ...(secure !== undefined && { secure }),
  });
  return json(200, explanation);
}

/** Returns `host` and every `header`. A header that is given twice has two values. */
function toHeaders(query: URLSearchParams): Record<string, string[]> {
  const host = single(query, "host");
  const headers = new Map<string, string[]>(host === undefined ? [] : [["Host", [host]]]);
  for (const line of query.getAll("header")) {
    const [, name, value] = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(.*)$/.exec(line) ?? [];
    if (name === undefined || value === undefined) throw badRequest('a header is given as "Name: value"');
    headers.set(name, [...(headers.get(name) ?? []), value]);
  }
  return Object.fromEntries(headers);
}

function toFlag(text: string | undefined): boolean | undefined {
  if (text !== undefined && text !== "true" && text !== "false") throw badRequest('"secure" is true or false');
  return text === undefined ? undefined : text === "true";
}

function single(query: URLSearchParams, name: string): string | undefined {
  const values = query.getAll(name);
  if (values.length > 1) throw badRequest(`"${name}" is given more than once`);
  return values[0];
}

function badRequest(message: string): HttpError {
  return new HttpError(400, "bad_request", message);
}
