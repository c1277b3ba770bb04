/** The parameters of a query. A mistake in them is a 400. */

import { didYouMean } from "evenkeel";
import { HttpError } from "./http-error.ts";

export function checkParameterNames(query: URLSearchParams, known: readonly string[]): void {
  for (const name of query.keys()) {
    if (!known.includes(name)) throw badRequest(`unknown parameter "${name}"${didYouMean(name, known)}`);
  }
}

/** Returns the value of a parameter that may be given once. */
export function singleParameter(query: URLSearchParams, name: string): string | undefined {
  const values = query.getAll(name);
  if (values.length > 1) throw badRequest(`"${name}" is given more than once`);
  return values[0];
}

export function badRequest(message: string): HttpError {
  return new HttpError(400, "bad_request", message);
}
