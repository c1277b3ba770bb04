import type { ServerResponse } from "node:http";

/**
 * Whether the client waits for a 100 before it sends its body. Node has sent it already unless the handler listens to the
 * server's `checkContinue` too; it notes that where nothing public tells, and a second 100 would do no harm.
 */
export function awaitsContinue(res: ServerResponse, head: { readonly expectsContinue: boolean } | undefined): boolean {
  return head?.expectsContinue === true && (res as { _sent100?: boolean })._sent100 !== true;
}
