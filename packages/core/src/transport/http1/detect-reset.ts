import { readSync } from "node:fs";
import type { Socket } from "node:net";

const probe = Buffer.allocUnsafeSlow(1);

/**
 * Whether what Node calls the end of a connection was a reset, asked when the end is told.
 *
 * Until version 24, Node tells a reset that arrives together with data as an orderly end, and a body that lasts until the end
 * would pass for whole. The kernel has not forgotten: behind an end it reads nothing, behind a reset it fails. Over TLS this
 * asks about the connection underneath. Windows has no descriptor to ask; there the answer is no.
 */
export function wasReset(socket: Socket): boolean {
  const fd = (socket as unknown as { _handle?: { fd?: number } | null })._handle?.fd ?? -1;
  if (fd < 0) return false;
  try {
    return readSync(fd, probe, 0, 1, null) > 0;
  } catch {
    return true;
  }
}
