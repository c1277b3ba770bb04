import { readSync } from "node:fs";
import type { Socket } from "node:net";

const most = 65_536;

/**
 * Reads what the kernel still holds for a socket when a write to it has failed.
 *
 * An upstream that answers early and closes resets the connection under the request that is still being sent. Node destroys
 * the socket for the failed write, and with it the answer, which has arrived. Reading the descriptor before that, in the
 * callback of the write, is the only way to it. Undefined where there is nothing, or no reading past Node: TLS, Windows.
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
