import { ServerResponse } from "node:http";

/** Node's own. An app that has put another on a response may keep what is written. */
const { write: nodesWrite } = ServerResponse.prototype;

/** What a transport hands over at a time at most. */
const blockBytes = 65_536;
/** So many pieces of a body get memory of their own: most bodies end before it is worth keeping any. */
const unshared = 4;

/**
 * Sends copies of a body's pieces to its client. A long body is sent from a few blocks that are used over and over, once
 * what was in them has been taken: a gigabyte is no gigabyte of garbage then. Blocks never serve another response.
 */
export class BodyPieces {
  readonly #free: Buffer[] = [];
  #sent = 0;

  /** False asks to wait until the response drains. The piece itself can be overwritten afterwards. */
  send(res: ServerResponse, piece: Buffer): boolean {
    if (this.#sent++ < unshared || piece.length > blockBytes || res.write !== nodesWrite) {
      return res.write(Buffer.from(piece));
    }
    const block = this.#free.pop() ?? Buffer.allocUnsafeSlow(blockBytes);
    piece.copy(block);
    return res.write(block.subarray(0, piece.length), () => void this.#free.push(block));
  }
}
