import type { ServerResponse } from "node:http";
import type { RequestHeadIn } from "./request-head.ts";

/** What a client may expect (RFC 9110 section 10.1.1), found the way node finds it. */
export const continueExpectation: RegExp = /(?:^|\W)100-continue(?:$|\W)/i;

/**
 * Whether the client waits for a 100 before it sends its body. Node has sent it already unless the handler listens to the
 * server's `checkContinue` too; it notes that where nothing public tells, and a second 100 would do no harm.
 */
export function owesContinue(res: ServerResponse, head: RequestHeadIn | undefined): boolean {
  return head?.expectsContinue === true && (res as { _sent100?: boolean })._sent100 !== true;
}
