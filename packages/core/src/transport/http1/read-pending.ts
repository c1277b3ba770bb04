import { readSync } from "node:fs";
import type { Socket } from "node:net";

const maxBytes = 65_536;

/**
 * Reads the bytes that the kernel still holds for a socket after a write to it has failed.
 *
 * An upstream that responds early and closes resets the connection while the request is still being sent. Node destroys the
 * socket because of the failed write, and would discard the response with it. To be called in the callback of the write, before
 * that. Returns undefined when there is nothing to read, and for TLS and on Windows, where the descriptor cannot be read.
 */
export function readPending(socket: Socket): Buffer | undefined {
  const handle = (socket as unknown as { _handle?: { fd?: number } | null })._handle;
  const fd = handle?.fd ?? -1;
  if (fd < 0 || "encrypted" in socket) return undefined;
  const bytes = Buffer.allocUnsafe(maxBytes);
  try {
    const length = readSync(fd, bytes, 0, maxBytes, null);
    return length > 0 ? bytes.subarray(0, length) : undefined;
  } catch {
    // Nothing to read.
    return undefined;
  }
}
