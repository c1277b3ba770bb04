/** Headers that an app has set for the response to an upgrade, for which Node has no response that they could be set on. */

import type { OutgoingHttpHeader, ServerResponse } from "node:http";
import { headerRule } from "../../config/settable-header.ts";

/** Sets them on the response that stands in, names and values by turns: what is answered there takes them along. */
export function setAppHeaders(res: ServerResponse, headers: readonly string[] = []): void {
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] as string;
    if (headerRule(name) !== "refused") res.appendHeader(name, headers[index + 1] as string);
  }
}

/** Those that a 101 takes along: not what the upstream says itself, but cookies beside its own. */
export function appHeadersBeside(res: ServerResponse, headers: readonly string[]): string[] {
  const names = new Set(headers.flatMap((name, place) => (place % 2 === 0 ? [name.toLowerCase()] : [])));
  return res.getHeaderNames().flatMap((name) => {
    if (name !== "set-cookie" && names.has(name)) return [];
    return [res.getHeader(name) as OutgoingHttpHeader].flat().flatMap((value) => [name, String(value)]);
  });
}
