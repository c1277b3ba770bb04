import { Socket } from "node:net";

/** OpenSSL's error codes for a first record that is not TLS: known HTTP methods, CONNECT, and anything else. */
const notTls = new Set(["ERR_SSL_HTTP_REQUEST", "ERR_SSL_HTTPS_PROXY_REQUEST", "ERR_SSL_WRONG_VERSION_NUMBER"]);

const body = "This port speaks HTTPS: send the request over TLS.\n";

const response = [
  "HTTP/1.1 400 Bad Request",
  "Content-Type: text/plain; charset=utf-8",
  `Content-Length: ${body.length}`,
  "Connection: close",
  "",
  body,
].join("\r\n");

/** A TLS socket with the plain socket below it, which is private in Node. */
type TlsSocket = Socket & { readonly _parent?: unknown };

/**
 * Sends a 400 response to a client that has sent plain HTTP to a TLS listener, like nginx with its status 497. Returns false
 * for any other failed handshake.
 *
 * Node has begun to destroy both sockets, so the response is written in the same turn. It fits into the empty send buffer of a
 * new connection.
 */
export function respondToPlainHttp(error: Error, socket: Socket): boolean {
  const { code = "" } = error as NodeJS.ErrnoException;
  const plain = (socket as TlsSocket)._parent;
  if (!notTls.has(code) || !(plain instanceof Socket)) return false;
  // A client with an unsupported version of TLS has got an alert, and nothing may follow it.
  if (plain.bytesWritten > 0 || !plain.writable) return false;
  plain.on("error", () => {});
  plain.end(response);
  return true;
}
