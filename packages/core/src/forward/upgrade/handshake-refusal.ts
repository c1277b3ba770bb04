import type { IncomingMessage } from "node:http";
import type { HeadLimits } from "../../config/resolved.ts";
import type { ErrorCode } from "../../errors.ts";
import { bindContext } from "../../runtime/async-context.ts";
import type { Clock } from "../../runtime/clock.ts";
import { type Timed, tickerOf } from "../../runtime/ticker.ts";
import { detectReset } from "../../transport/http1/detect-reset.ts";
import { checkResponseHead } from "../../transport/http1/response-head.ts";
import { TransportError } from "../../transport/transport-error.ts";
import type { ClientResponse, SendTimeoutHandler } from "../client-response.ts";

/**
 * Returns what is wrong with the head of a refusal, if anything. Node's parser accepts more than our own, and a head that two
 * readers could understand differently is not forwarded: it is held to the rules of our parser.
 */
export function refusalFault(response: IncomingMessage, { fields }: HeadLimits): ErrorCode | undefined {
  try {
    return checkResponseHead(response, "GET", fields).status < 200 ? "invalid_response" : undefined;
  } catch (error) {
    return TransportError.from(error).code;
  }
}

/** A refusal that is being relayed. */
export interface RelayedRefusal {
  /** Cuts the response off. */
  breakOff(code: ErrorCode): void;
  /** The client can take more. */
  resume(): void;
}

/**
 * Relays the response of an upstream that refuses an upgrade, with the client's backpressure; it is cut off if it breaks off.
 *
 * `onEnd` is called with the failure, if any, before the client's response is ended; and once more if the client then does not
 * read the rest of it.
 */
export function relayRefusal(
  upstreamResponse: IncomingMessage,
  response: ClientResponse,
  { clock, idleMs }: { readonly clock: Clock; readonly idleMs: number },
  onEnd: (failure: ErrorCode | undefined) => void,
): RelayedRefusal {
  let failure: ErrorCode = "response_truncated";
  let broken = false;
  const breakOff = (code: ErrorCode) => {
    if (upstreamResponse.closed) {
      onEnd(code);
      return response.cutOff();
    }
    broken = true;
    failure = code;
    upstreamResponse.destroy();
  };
  const { socket } = upstreamResponse;
  // Before Node's own listeners, which take a body that lasts until the end of the connection for complete, even after a reset.
  const onLost = (reset: boolean) => {
    if (!upstreamResponse.complete && reset) breakOff("response_truncated");
  };
  socket.prependOnceListener("end", () => onLost(detectReset(socket)));
  socket.prependOnceListener("error", () => onLost(true));
  const ticker = tickerOf(clock);
  const onSilence = bindContext(() => breakOff("response_idle_timeout"));
  const silence: Timed = {
    deadline: Infinity,
    onDeadline() {
      silence.deadline = Infinity;
      onSilence();
    },
  };
  const expectData = () => {
    if (idleMs > 0) silence.deadline = clock.now() + idleMs;
  };
  const stalled: SendTimeoutHandler = { onSendTimeout: () => breakOff("send_timeout") };
  ticker.watch(silence);
  expectData();
  upstreamResponse.on("data", (chunk: Buffer) => {
    expectData();
    if (response.write(chunk, stalled)) return;
    // No deadline while the client does not read: that is no failure of the upstream.
    silence.deadline = Infinity;
    upstreamResponse.pause();
  });
  upstreamResponse.on("error", () => {});
  upstreamResponse.on("close", () => {
    ticker.forget(silence);
    const complete = upstreamResponse.complete && !broken;
    onEnd(complete ? undefined : failure);
    if (complete) response.end([]);
    else response.cutOff();
  });
  response.flush();
  return {
    breakOff,
    resume: () => {
      expectData();
      upstreamResponse.resume();
    },
  };
}
