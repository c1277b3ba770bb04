import { Socket } from "node:net";
import type { Duplex } from "node:stream";

/** The largest chunk that a transport passes on, with a head and the frame of a chunk around it. */
const blockBytes = 65_536 + 24_576;
/** Free blocks that are kept for all connections. */
const keptBlocks = 8;

const free: Buffer[] = [];

/**
 * Writes a copy of a chunk between two strings, which are Latin-1, in one piece. A chunk may be overwritten afterwards.
 *
 * A kernel that takes all of it does so within the call, so the same block serves the next write, whatever its connection: a
 * body of a gigabyte leaves no garbage. A block that the socket still holds is returned: it is free for `reuse` once the socket
 * has drained.
 */
export function writeJoined(socket: Duplex, before: string, chunk: Uint8Array, after: string): Buffer | undefined {
  const length = before.length + chunk.length + after.length;
  // Another stream than a socket may pass the memory on.
  const isShared = length <= blockBytes && socket instanceof Socket;
  const block = isShared ? (free.pop() ?? Buffer.allocUnsafeSlow(blockBytes)) : Buffer.allocUnsafe(length);
  if (before !== "") block.write(before, 0, "latin1");
  block.set(chunk, before.length);
  if (after !== "") block.write(after, before.length + chunk.length, "latin1");
  socket.write(block.subarray(0, length));
  if (!isShared) return undefined;
  if (socket.writableLength > 0) return block;
  reuse(block);
  return undefined;
}

export function reuse(block: Buffer): void {
  if (free.length < keptBlocks) free.push(block);
}
