import type { ServerResponse } from "node:http";

/**
 * Ends a response with the whole of its body, a string of bytes: head and body in one write to the socket.
 *
 * Node's own `end` with a body makes it two, the second one empty, and that costs a request several microseconds. It is left
 * to it where there is more to send after the body, as in chunks, or others are being sent before.
 */
export function endWith(res: ServerResponse, body: string): void {
  const { socket } = res;
  if (socket === null || res.chunkedEncoding || socket.writableLength > 0) return void res.end(body, "latin1");
  // Node corks a socket that is not corked, and uncorks it only later.
  socket.cork();
  res.write(body, "latin1");
  socket.uncork();
  res.end();
}
