import { channel } from "node:diagnostics_channel";
import { ServerResponse } from "node:http";
import { isPatched } from "./patched-response.ts";

const { writeHead: ownWriteHead } = ServerResponse.prototype;

/** What Node and the proxy themselves listen with to the end of a response. */
const ownListeners = { finish: 1, close: 1 };

/** The mark of a listener to the end of a response that does not read its headers, such as the one of the command's server. */
const passiveListener = Symbol.for("evenkeel.passiveListener");

/** Node publishes each response here when it ends. */
const finishChannel = channel("http.server.response.finish");

/** What a reason phrase may hold (RFC 9112 section 4). Node throws at anything else, and lets more in from an upstream. */
const reasonText = /^[\t\x20-\x7e\x80-\xff]*$/;

/**
 * Writes a response's head with header names and values by turns, repeated names kept apart.
 *
 * Node takes the list as it is only while no header was set on the response before. An app in front of the proxy may
 * have set some: those stay, unless the response has the same name itself. Cookies add up.
 *
 * A list that is written as it is leaves nothing for `res.getHeaders()`, and middleware that patches `writeHead` may expect
 * pairs or an object (on-headers before 1.1, and so morgan, compression and express-session). Where something in front of the
 * proxy may look, each header is set instead.
 */
export function writeHead(res: ServerResponse, status: number, statusText: string, headers: string[]): void {
  const reason = reasonText.test(statusText) ? statusText : "";
  const namesBefore = res.getHeaderNames();
  if (namesBefore.length === 0 && !isObserved(res)) {
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

/** Whether something beside Node and the proxy may read the headers of a response: patched methods, and listeners to its end. */
function isObserved(res: ServerResponse): boolean {
  return (
    res.writeHead !== ownWriteHead ||
    isHeard(res, "finish") ||
    isHeard(res, "close") ||
    finishChannel.hasSubscribers ||
    isPatched(res)
  );
}

function isHeard(res: ServerResponse, event: "finish" | "close"): boolean {
  const count = res.listenerCount(event) - ownListeners[event];
  return count > 0 && count > res.listeners(event).filter((listener) => passiveListener in listener).length;
}

/** Sends a head that has been written. Node's own `flushHeaders` would send it as UTF-8, and 8-bit bytes not as they came. */
export function flushHead(res: ServerResponse): void {
  res.write("", "latin1");
}

/**
 * Lets go of the events that middleware holds, as compression does until a block is full: it puts a `flush` on the response.
 * Each would cost compression of another response, so nothing else is flushed.
 */
export function flushEvents(res: ServerResponse & { flush?: unknown }, headers: readonly string[]): void {
  if (typeof res.flush === "function" && isEventStream(headers)) res.flush();
}

function isEventStream(headers: readonly string[]): boolean {
  const at = headers.findIndex((text, index) => index % 2 === 0 && text.toLowerCase() === "content-type");
  return at !== -1 && /^text\/event-stream[ \t]*(?:;|$)/i.test(headers[at + 1] ?? "");
}

/** Whether the list has a header of that name, which is in lower case. */
function hasHeader(headers: readonly string[], name: string): boolean {
  return headers.some((text, place) => place % 2 === 0 && text.length === name.length && text.toLowerCase() === name);
}
