import { Socket } from "node:net";

/** How OpenSSL names a first record that is no TLS: methods that it knows, CONNECT, and everything else. */
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

/** A TLS socket with the plain socket that carries it, which Node keeps to itself. */
type TlsSocket = Socket & { readonly _parent?: unknown };

/**
 * Answers a connection that has sent plain HTTP to a TLS listener, as nginx does with its status 497. Returns whether it
 * was one.
 *
 * Node has begun to destroy both sockets by then, so the response is written in the same turn; it fits into the empty
 * send buffer of a new connection.
 */
export function answerPlainHttp(error: Error, socket: Socket): boolean {
  const { code = "" } = error as NodeJS.ErrnoException;
  const plain = (socket as TlsSocket)._parent;
  if (!notTls.has(code) || !(plain instanceof Socket)) return false;
  // A client that speaks some other version of TLS has been sent an alert, and nothing may follow that.
  if (plain.bytesWritten > 0 || !plain.writable) return false;
  plain.on("error", () => {});
  plain.end(response);
  return true;
}
