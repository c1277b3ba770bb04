import { channel } from "node:diagnostics_channel";
import { ServerResponse } from "node:http";
import { fieldText } from "../../http1/grammar.ts";
import { isPatched } from "./patched-response.ts";

const { writeHead: ownWriteHead } = ServerResponse.prototype;

/** The listeners of Node and of the proxy to the end of a response. */
const ownListeners = { finish: 2, close: 1 };

/** Node publishes each response here when it ends. */
const finishChannel = channel("http.server.response.finish");

/**
 * Writes a response's head with header names and values by turns, repeated names kept apart.
 *
 * Node writes the list as it is only if no header was set on the response before. Headers that an app in front of the proxy
 * has set stay, unless the response has the same name itself. Cookies add up.
 *
 * After such a list `res.getHeaders()` is empty, and middleware that patches `writeHead` may expect pairs or an object
 * (on-headers before 1.1, and so morgan, compression and express-session). Each header is set by itself if other code may
 * read the headers.
 */
export function writeHead(res: ServerResponse, status: number, statusText: string, headers: string[]): void {
  // Node throws at other characters in a reason phrase, but accepts some of them from an upstream.
  const reason = fieldText.test(statusText) ? statusText : "";
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
  // While earlier responses are pending, Node puts a head in front of all data that waits, which may include the 100 of its
  // own request: the 100 would then be part of the body. Sent by itself the head waits behind the 100.
  if (res.socket === null) flushHead(res);
}

/** Whether code beside Node's and the proxy's may read the headers of a response: patched methods, and listeners to its end. */
function isObserved(res: ServerResponse): boolean {
  return (
    res.writeHead !== ownWriteHead ||
    hasReader(res, "finish") ||
    hasReader(res, "close") ||
    finishChannel.hasSubscribers ||
    isPatched(res)
  );
}

function hasReader(res: ServerResponse, event: "finish" | "close"): boolean {
  return res.listenerCount(event) > ownListeners[event];
}

/** An interim response in Latin-1. */
export function interimResponse(status: number, headers: readonly string[]): string {
  let text = `HTTP/1.1 ${status} ${status === 103 ? "Early Hints" : "Processing"}\r\n`;
  for (let index = 0; index < headers.length; index += 2) text += `${headers[index]}: ${headers[index + 1]}\r\n`;
  return `${text}\r\n`;
}

/** Sends a head that has been written. Node's own `flushHeaders` would encode it as UTF-8, which changes 8-bit bytes. */
export function flushHead(res: ServerResponse): void {
  res.write("", "latin1");
}

/**
 * Flushes events that middleware holds back, as compression does until a block is full: it adds a `flush` method to the
 * response. Each flush costs compression, so only event streams are flushed.
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
