import type { ServerResponse } from "node:http";
import { isPatched } from "./patched-response.ts";

/** The largest chunk that a transport passes on. */
const blockBytes = 65_536;
/** A smaller chunk would waste most of a block. */
const worthwhileBytes = 16_384;
/** The first chunks of a body get memory of their own: most bodies end before reuse pays. */
const unshared = 4;
/** Blocks that are kept: about what waits at a time for a client that is slower than its upstream. */
const keptBlocks = 4;

/**
 * Sends copies of a body's chunks to its client. The large chunks of a long body are copied into a few blocks, which are
 * reused once the socket has taken their content: a body of a gigabyte leaves no gigabyte of garbage. Blocks are never shared
 * between responses.
 */
export class BodyBuffers {
  readonly #free: Buffer[] = [];
  #sent = 0;

  /** False asks to wait until the response drains. A string is Latin-1; a buffer may be overwritten afterwards. */
  send(res: ServerResponse, chunk: Buffer | string): boolean {
    if (typeof chunk === "string") return res.write(chunk, "latin1");
    if (this.#sent++ < unshared || !fits(chunk) || isPatched(res)) return res.write(Buffer.from(chunk));
    const block = this.#free.pop() ?? Buffer.allocUnsafeSlow(blockBytes);
    chunk.copy(block);
    return res.write(block.subarray(0, chunk.length), () => this.#keep(block));
  }

  #keep(block: Buffer): void {
    if (this.#free.length < keptBlocks) this.#free.push(block);
  }
}

function fits({ length }: Buffer): boolean {
  return length >= worthwhileBytes && length <= blockBytes;
}
