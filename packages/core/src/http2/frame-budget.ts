import { limits } from "../config/defaults.ts";
import type { Clock } from "../runtime/clock.ts";
import { errorCode, Http2Error } from "./protocol.ts";

/** Frames that a peer may send in reply to one DATA frame: a WINDOW_UPDATE of the stream and of the connection, and a PING. */
const repliesPerDataFrame = 3;

/**
 * Bounds useless frames of a peer, which cost work and make no progress: PING, SETTINGS, PRIORITY, empty DATA, frames of closed
 * streams, unknown types (the floods of CVE-2019-9511 to 9518).
 *
 * A token bucket: each useless frame takes a token, time and useful frames add tokens. A peer that measures the round trip with
 * a PING for each DATA frame, as gRPC does, never empties it.
 */
export class FrameBudget {
  readonly #clock: Clock;
  #tokens: number = limits.http2IdleFrames;
  #filledAt: number;
  /** Frames that take no token, since the peer may send them in reply to ours. Bounded by the frames that we send. */
  #expected = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#filledAt = clock.now();
  }

  /** Takes a token for a useless frame. Throws an `Http2Error` when there have been too many. */
  spend(): void {
    if (this.#expected > 0) {
      this.#expected--;
      return;
    }
    if (--this.#tokens >= 0) return;
    const now = this.#clock.now();
    this.#tokens = Math.min(
      limits.http2IdleFrames,
      Math.floor(((now - this.#filledAt) / 1_000) * limits.http2IdleFramesPerSecond) - 1,
    );
    this.#filledAt = now;
    if (this.#tokens < 0) throw new Http2Error(errorCode.enhanceYourCalm, "a flood of useless frames");
  }

  /**
   * Called for each DATA frame that we send. An upstream may reply to every small piece of a client's body: that must not count
   * as a flood, which would close the connection for all requests on it.
   */
  expectReplies(): void {
    this.#expected += repliesPerDataFrame;
  }

  /** Adds a token for a useful frame. */
  earn(): void {
    if (this.#tokens < limits.http2IdleFrames) this.#tokens++;
  }
}
