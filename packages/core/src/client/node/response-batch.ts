import type { ServerResponse } from "node:http";
import { AsyncContext } from "../../runtime/async-context.ts";
import { isUntouched } from "./patched-response.ts";

interface Departure {
  readonly res: ServerResponse;
  readonly body: string;
  /** Undefined for the first, whose context the immediate has already. */
  readonly context: AsyncContext | undefined;
}

/**
 * Where whole answers wait for the end of the event loop's turn, to leave together.
 *
 * Under load one turn reads the answers of many upstreams. A write that wakes the kernel's other side costs several times
 * what one costs that finds it awake, and code that does the same thing many times over stays in the cache: sent between
 * the reads each answer costs a good fifth more. An answer that comes alone leaves at once, since the turn is over with it.
 */
export class ResponseBatch {
  #waiting: Departure[] = [];
  readonly #sendAll = () => {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { res, body, context } of waiting) {
      try {
        if (context === undefined) endWith(res, body);
        else context.run(endWith, undefined, res, body);
      } catch {
        // Whoever stands in front of the proxy writes the answers, and has failed with this one alone.
        res.destroy();
      }
    }
  };

  /** Ends a response with the whole of its body, a string of bytes. */
  end(res: ServerResponse, body: string): void {
    const first = this.#waiting.length === 0;
    this.#waiting.push({ res, body, context: first ? undefined : new AsyncContext() });
    if (first) setImmediate(this.#sendAll);
  }
}

/**
 * Head and body in one write to the socket. Node's own `end` with a body makes it two, the second one empty, and that costs
 * a request several microseconds. It is left to it where there is more to send after the body, as in chunks, or others
 * are being sent before, and where an app's own `end` wants to see the body.
 */
function endWith(res: ServerResponse, body: string): void {
  const { socket } = res;
  if (socket === null || res.chunkedEncoding || socket.writableLength > 0 || !isUntouched(res)) {
    return void res.end(body, "latin1");
  }
  // Node corks a socket that is not corked, and uncorks it only later.
  socket.cork();
  res.write(body, "latin1");
  socket.uncork();
  res.end();
}
