import type { ServerResponse } from "node:http";
import { isPatched } from "./patched-response.ts";

/** What a transport hands over at a time at most. */
const blockBytes = 65_536;
/** A smaller piece would waste most of a block. */
const worthwhileBytes = 16_384;
/** So many pieces of a body get memory of their own: most bodies end before it is worth keeping any. */
const unshared = 4;
/** Blocks that are kept: about what waits at a time for a client that is slower than its upstream. */
const keptBlocks = 4;

/**
 * Sends copies of a body's pieces to its client. The large pieces of a long body go out from a few blocks that are used
 * over and over, once what was in them has been taken: a gigabyte is no gigabyte of garbage then. Blocks never serve
 * another response.
 */
export class BodyBuffers {
  readonly #free: Buffer[] = [];
  #sent = 0;

  /** False asks to wait until the response drains. The piece itself can be overwritten afterwards. */
  send(res: ServerResponse, piece: Buffer): boolean {
    if (this.#sent++ < unshared || !fits(piece) || isPatched(res)) return res.write(Buffer.from(piece));
    const block = this.#free.pop() ?? Buffer.allocUnsafeSlow(blockBytes);
    piece.copy(block);
    return res.write(block.subarray(0, piece.length), () => this.#keep(block));
  }

  #keep(block: Buffer): void {
    if (this.#free.length < keptBlocks) this.#free.push(block);
  }
}

function fits({ length }: Buffer): boolean {
  return length >= worthwhileBytes && length <= blockBytes;
}
