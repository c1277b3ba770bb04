import { readSync } from "node:fs";
import type { Socket } from "node:net";

const probe = Buffer.allocUnsafeSlow(1);

/**
 * Whether the connection was reset when Node emits `end`. To be called in the listener of that event.
 *
 * Before version 24, Node reports a reset that arrives together with data as an orderly end, and a body that lasts until the
 * end would look complete. The kernel still knows: a read returns nothing after an end, and fails after a reset. Over TLS the
 * TCP connection underneath is read. Always false on Windows, where sockets have no file descriptor.
 */
export function detectReset(socket: Socket): boolean {
  const fd = (socket as unknown as { _handle?: { fd?: number } | null })._handle?.fd ?? -1;
  if (fd < 0) return false;
  try {
    return readSync(fd, probe, 0, 1, null) > 0;
  } catch {
    return true;
  }
}
