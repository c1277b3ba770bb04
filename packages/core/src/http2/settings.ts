import { defaultFrameBytes, defaultWindowBytes, errorCode, Http2Error, maxWindowBytes } from "./protocol.ts";

/** Identifiers of settings (RFC 9113 section 6.5.2). */
export const setting = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
  /** RFC 8441 section 3. */
  enableConnectProtocol: 8,
  /** RFC 9218 section 2.1. */
  noRfc7540Priorities: 9,
} as const;

/** The settings of a peer, with the defaults of the protocol. */
export class PeerSettings {
  headerTableBytes = 4_096;
  /** The smallest table size within the last SETTINGS frame (RFC 7541 section 4.2). */
  leastHeaderTableBytes = 4_096;
  /** Infinity unless the peer has set it. */
  maxConcurrentStreams: number = Infinity;
  initialWindowBytes: number = defaultWindowBytes;
  maxFrameBytes: number = defaultFrameBytes;
  readonly #isClient: boolean;

  constructor(peer: "client" | "server") {
    this.#isClient = peer === "client";
  }

  /** Applies the payload of a SETTINGS frame in its order. Throws an `Http2Error`. Unknown settings are ignored. */
  apply(payload: Buffer): void {
    if (payload.length % 6 !== 0)
      throw new Http2Error(errorCode.frameSizeError, "a SETTINGS frame with an incomplete entry");
    this.leastHeaderTableBytes = this.headerTableBytes;
    for (let position = 0; position < payload.length; position += 6) {
      this.#set(payload.readUInt16BE(position), payload.readUInt32BE(position + 2));
    }
  }

  #set(identifier: number, value: number): void {
    switch (identifier) {
      case setting.headerTableSize:
        this.headerTableBytes = value;
        this.leastHeaderTableBytes = Math.min(this.leastHeaderTableBytes, value);
        return;
      case setting.enablePush:
        // Only a client may enable pushes (RFC 9113 section 6.5.2).
        if (value > (this.#isClient ? 1 : 0)) {
          throw new Http2Error(errorCode.protocolError, "an ENABLE_PUSH out of range");
        }
        return;
      case setting.maxConcurrentStreams:
        this.maxConcurrentStreams = value;
        return;
      case setting.initialWindowSize:
        if (value > maxWindowBytes) throw new Http2Error(errorCode.flowControlError, "an initial window out of range");
        this.initialWindowBytes = value;
        return;
      case setting.maxFrameSize:
        if (value < defaultFrameBytes || value > 16_777_215) {
          throw new Http2Error(errorCode.protocolError, "a frame size out of range");
        }
        this.maxFrameBytes = value;
        return;
      case setting.enableConnectProtocol:
      case setting.noRfc7540Priorities:
        if (value > 1) throw new Http2Error(errorCode.protocolError, "a switch that is neither on nor off");
    }
  }
}
