/**
 * The methods that are forwarded or refused by their name: those of the IANA registry of HTTP methods that are in use, and PURGE
 * of caches. Any other is refused with 501 (RFC 9110 section 9.1): log lines and metrics have no names that a client makes up.
 * The list is that of Node's parser without the methods of RTSP and ICE.
 */
const known: ReadonlySet<string> = new Set([
  ...["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "QUERY"],
  // WebDAV and its extensions (RFC 3744, 4918, 5323, 5842).
  ...["PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "SEARCH", "ACL", "BIND", "REBIND", "UNBIND"],
  // Versioning and calendars (RFC 3253, 4791).
  ...["REPORT", "MKACTIVITY", "CHECKOUT", "MERGE", "MKCALENDAR"],
  // UPnP, links (RFC 2068 section 19.6.1.2) and caches.
  ...["M-SEARCH", "NOTIFY", "SUBSCRIBE", "UNSUBSCRIBE", "LINK", "UNLINK", "PURGE"],
]);

export function isKnownMethod(method: string): boolean {
  return known.has(method);
}
