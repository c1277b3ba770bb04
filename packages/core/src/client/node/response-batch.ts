import type { ServerResponse } from "node:http";
import { AsyncContext } from "../../runtime/async-context.ts";
import { isPatched } from "./patched-response.ts";

interface WaitingResponse {
  readonly res: ServerResponse;
  readonly body: string;
  /** Undefined for the first, in whose context the immediate runs. */
  readonly context: AsyncContext | undefined;
}

/**
 * Collects complete responses until the end of the event loop's turn, and sends them together.
 *
 * Under load one turn reads the responses of many upstreams. A write that wakes the process at the other end costs several
 * times as much as one that finds it awake, and code that does the same thing many times stays in the CPU's caches: sent
 * between the reads each response costs a good fifth more. A single response leaves at once, since the turn ends with it.
 */
export class ResponseBatch {
  #waiting: WaitingResponse[] = [];
  readonly #sendAll = () => {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { res, body, context } of waiting) {
      try {
        if (context === undefined) endWith(res, body);
        else context.run(endWith, undefined, res, body);
      } catch {
        // An app's own `end` has thrown: it fails its own response alone.
        res.destroy();
      }
    }
  };

  /** Ends a response with its whole body, a Latin-1 string. */
  end(res: ServerResponse, body: string): void {
    const first = this.#waiting.length === 0;
    this.#waiting.push({ res, body, context: first ? undefined : new AsyncContext() });
    if (first) setImmediate(this.#sendAll);
  }
}

/** Of the process: all its proxies send their responses together. */
export const responseBatch: ResponseBatch = new ResponseBatch();

/**
 * Writes head and body to the socket at once. Node's own `end` with a body makes two writes, the second one empty, which costs
 * a request several microseconds. It is used where more follows the body, as with chunks, where other responses are being
 * sent, and where an app's own `end` has to see the body.
 */
function endWith(res: ServerResponse, body: string): void {
  const { socket } = res;
  if (socket === null || res.chunkedEncoding || socket.writableLength > 0 || isPatched(res)) {
    return void res.end(body, "latin1");
  }
  // Node corks a socket that is not corked, and uncorks it only later.
  socket.cork();
  res.write(body, "latin1");
  socket.uncork();
  res.end();
}
