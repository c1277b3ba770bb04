import { limits } from "../config/defaults.ts";
import { errorCode, flag, Http2Error } from "./protocol.ts";

/**
 * Assembles a header block from HEADERS and its CONTINUATION frames (RFC 9113 section 4.3).
 *
 * Bounded in bytes and in frames. A block that is too large cannot be skipped, since the decoding of later blocks depends on
 * it: it ends the connection.
 */
export class HeaderBlock {
  /** The stream of the block that is being received; 0 between blocks. */
  streamId = 0;
  endStream = false;
  #fragments: Buffer[] = [];
  #bytes = 0;
  readonly #maxBytes: number;

  constructor(maxBytes: number = limits.http2HeaderBlockBytes) {
    this.#maxBytes = maxBytes;
  }

  /** Takes a HEADERS frame. Returns the block when it is complete. */
  begin(streamId: number, flags: number, payload: Buffer): Buffer | undefined {
    this.endStream = (flags & flag.endStream) !== 0;
    const fragment = fragmentOf(flags, payload);
    if ((flags & flag.endHeaders) !== 0) return fragment;
    this.streamId = streamId;
    this.#keep(fragment);
    return undefined;
  }

  /** Takes a CONTINUATION frame. Returns the block when it is complete. */
  continue(streamId: number, flags: number, payload: Buffer): Buffer | undefined {
    if (this.streamId === 0 || streamId !== this.streamId) {
      throw new Http2Error(errorCode.protocolError, "a CONTINUATION outside a header block");
    }
    this.#keep(payload);
    if ((flags & flag.endHeaders) === 0) return undefined;
    const block = Buffer.concat(this.#fragments, this.#bytes);
    this.streamId = 0;
    this.#fragments = [];
    this.#bytes = 0;
    return block;
  }

  #keep(fragment: Buffer): void {
    this.#bytes += fragment.length;
    if (this.#bytes > this.#maxBytes || this.#fragments.length >= limits.http2HeaderBlockFrames) {
      throw new Http2Error(errorCode.enhanceYourCalm, "a header block that is too large");
    }
    // Copied, since the reader's memory is reused.
    this.#fragments.push(Buffer.from(fragment));
  }
}

/** Returns a HEADERS frame's part of the header block, without padding and priority. */
function fragmentOf(flags: number, payload: Buffer): Buffer {
  let start = 0;
  let end = payload.length;
  if ((flags & flag.padded) !== 0) {
    if (end === 0) throw new Http2Error(errorCode.frameSizeError, "a padded frame without the length of its padding");
    start = 1;
    end -= payload[0] as number;
  }
  if ((flags & flag.priority) !== 0) start += 5;
  if (start > payload.length) throw new Http2Error(errorCode.frameSizeError, "a HEADERS frame without its priority");
  if (end < start) throw new Http2Error(errorCode.protocolError, "more padding than payload");
  return payload.subarray(start, end);
}
