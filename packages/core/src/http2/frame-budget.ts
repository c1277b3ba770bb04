import { limits } from "../config/defaults.ts";
import type { Clock } from "../runtime/clock.ts";
import { errorCode, Http2Error } from "./protocol.ts";

/** Frames that a peer may send in return for one DATA frame: a WINDOW_UPDATE of the stream and of the connection, and a PING. */
const repliesPerDataFrame = 3;

/**
 * Bounds the frames of a peer that cost work and bring nothing: PING, SETTINGS, PRIORITY, empty DATA, frames of closed
 * streams, unknown types (the floods of CVE-2019-9511 to 9518).
 *
 * A token bucket: each such frame takes one token, time and useful frames give tokens back. A peer that measures the round
 * trip with a PING for each DATA frame, as gRPC does, never empties it.
 */
export class FrameBudget {
  readonly #clock: Clock;
  #tokens: number = limits.http2IdleFrames;
  #filledAt: number;
  /** Frames that are free, since what we have sent may call for them. Bounded by what we send. */
  #expected = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#filledAt = clock.now();
  }

  /** A frame that brings nothing. Throws an `Http2Error` when there have been too many. */
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
    if (this.#tokens < 0) throw new Http2Error(errorCode.enhanceYourCalm, "a flood of frames that bring nothing");
  }

  /**
   * We have sent a DATA frame. A client that sends its body in small pieces has the upstream answer each of them: that must
   * not look like a flood, which would end the connection for all who share it.
   */
  expectReplies(): void {
    this.#expected += repliesPerDataFrame;
  }

  /** A frame that brought something, or one that the peer may answer with frames of its own. */
  earn(): void {
    if (this.#tokens < limits.http2IdleFrames) this.#tokens++;
  }
}
