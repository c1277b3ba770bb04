import type { ServerResponse } from "node:http";

/** What a reason phrase may hold (RFC 9112 section 4). Node throws at anything else, and lets more in from an upstream. */
const reasonText = /^[\t\x20-\x7e\x80-\xff]*$/;

/**
 * Writes a response's head with header names and values by turns, repeated names kept apart.
 *
 * Node takes the list as it is only while no header was set on the response before. An app in front of the proxy may
 * have set some: those stay, unless the response has the same name itself. Cookies add up.
 */
export function writeHead(res: ServerResponse, status: number, statusText: string, headers: string[]): void {
  const reason = reasonText.test(statusText) ? statusText : "";
  const namesBefore = res.getHeaderNames();
  if (namesBefore.length === 0) {
    res.writeHead(status, reason, headers);
  } else {
    for (const name of namesBefore) {
      if (name !== "set-cookie" && hasHeader(headers, name)) res.removeHeader(name);
    }
    for (let index = 0; index < headers.length; index += 2) {
      res.appendHeader(headers[index] as string, headers[index + 1] as string);
    }
    res.writeHead(status, reason);
  }
  // While earlier answers are on their way, Node puts a head in front of all that waits, and that may be the 100 of its own
  // request, which would then fall into the body. Sent by itself the head waits behind it.
  if (res.socket === null) flushHead(res);
}

/** Sends a head that has been written. Node's own `flushHeaders` would send it as UTF-8, and 8-bit bytes not as they came. */
export function flushHead(res: ServerResponse): void {
  res.write("", "latin1");
}

/** Whether the list has a header of that name, which is in lower case. */
function hasHeader(headers: readonly string[], name: string): boolean {
  return headers.some((text, place) => place % 2 === 0 && text.length === name.length && text.toLowerCase() === name);
}
