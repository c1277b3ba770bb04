/**
 * Fields that concern one connection and are not forwarded (RFC 9110 section 7.6.1), in lower case. The only list of them:
 * each module that drops or refuses such fields derives its set from it, and states what it adds or treats differently.
 */

/** HTTP/2 has frames for what these say: a message with one of them is malformed (RFC 9113 section 8.2.2). */
export const connectionSpecificNames: readonly string[] = [
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
];

export const hopByHopNames: readonly string[] = [
  ...connectionSpecificNames,
  // What the recipient on this connection accepts, and what it is to expect (RFC 9110 sections 10.1.4 and 6.6.2).
  "te",
  "trailer",
  // The offer to change this connection to HTTP/2 (RFC 7540 section 3.2.1).
  "http2-settings",
  // Between a client and the proxy next to it (RFC 9110 section 11.7).
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-authentication-info",
];
