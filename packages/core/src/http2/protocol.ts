/** The numbers of RFC 9113, and the error for violations of it. */

export const frameType = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

/** The bits of a frame's flags; their meaning depends on its type. */
export const flag = { endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

/** Error codes (RFC 9113 section 7). */
export const errorCode = {
  noError: 0,
  protocolError: 1,
  internalError: 2,
  flowControlError: 3,
  settingsTimeout: 4,
  streamClosed: 5,
  frameSizeError: 6,
  refusedStream: 7,
  cancel: 8,
  compressionError: 9,
  connectError: 10,
  enhanceYourCalm: 11,
  inadequateSecurity: 12,
  http11Required: 13,
} as const;

export const frameHeaderBytes = 9;
/** The initial window of a stream and of a connection without settings (RFC 9113 section 6.9.2). */
export const defaultWindowBytes = 65_535;
export const maxWindowBytes = 2_147_483_647;
/** The frame size that every peer accepts (RFC 9113 section 4.2). */
export const defaultFrameBytes = 16_384;
export const maxStreamId = 2_147_483_647;

const names = new Map<number, string>(
  Object.entries(errorCode).map(([name, code]) => [
    code,
    name.replace("11", "_1_1").replace(/[A-Z]/g, "_$&").toUpperCase(),
  ]),
);

/** Returns the name of an error code as in RFC 9113, for messages. */
export function errorName(code: number): string {
  return names.get(code) ?? `error ${code}`;
}

/** The peer violates the protocol or exceeds one of our limits. Ends one stream, or the connection when `streamId` is 0. */
export class Http2Error extends Error {
  override readonly name = "Http2Error";
  readonly code: number;
  readonly streamId: number;

  constructor(code: number, message: string, streamId = 0) {
    super(`${message} (${errorName(code)})`);
    this.code = code;
    this.streamId = streamId;
  }
}
