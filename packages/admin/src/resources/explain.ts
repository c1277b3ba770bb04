import { badRequest, checkParameterNames, singleParameter } from "../http/query.ts";
import { type AdminResponse, json } from "../http/response.ts";
import type { RouteParams } from "../routes.ts";
import type { AdminTarget } from "../target/admin-target.ts";

const parameters = ["url", "method", "host", "header", "client", "secure"];

/** Explains how the target would handle the request that the query describes. Throws a 400 for an invalid query. */
export async function explainRequest(target: AdminTarget, { query }: RouteParams): Promise<AdminResponse> {
  checkParameterNames(query, parameters);
  const url = singleParameter(query, "url");
  if (url === undefined) throw badRequest('give the request\'s path or URL, as in "/api/explain?url=/orders"');
  const method = singleParameter(query, "method");
  const client = singleParameter(query, "client");
  const secure = toFlag(singleParameter(query, "secure"));
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
  const host = singleParameter(query, "host");
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
