import { readSync } from "node:fs";
import type { Socket } from "node:net";

const most = 65_536;

/**
 * Reads what the kernel still holds for a socket whose write has just failed.
 *
 * An upstream that answers early and closes resets the connection under the request that is still being sent. Node destroys
 * the socket at the failed write and with it the answer, which has arrived. Reading the descriptor once more is the only
 * way to it. Undefined where there is none to read: TLS, Windows, nothing there.
 */
export function salvage(socket: Socket): Buffer | undefined {
  const handle = (socket as unknown as { _handle?: { fd?: number } | null })._handle;
  const fd = handle?.fd ?? -1;
  if (fd < 0 || "encrypted" in socket) return undefined;
  const bytes = Buffer.allocUnsafe(most);
  try {
    const length = readSync(fd, bytes, 0, most, null);
    return length > 0 ? bytes.subarray(0, length) : undefined;
  } catch {
    // Nothing there.
    return undefined;
  }
}
