import { defaultFrameBytes, flag, frameHeaderBytes, frameType } from "./protocol.ts";

/** The first bytes of a client (RFC 9113 section 3.4). */
export const clientPreface: Buffer = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/** Makes the header of a frame whose payload is sent separately. */
export function frameHeader(type: number, flags: number, streamId: number, length: number): Buffer {
  const header = Buffer.allocUnsafe(frameHeaderBytes);
  writeFrameHeader(header, 0, type, flags, streamId, length);
  return header;
}

/** Makes a HEADERS frame, and CONTINUATION frames for a block that exceeds the frame size. */
export function headersFrames(streamId: number, block: Buffer, endStream: boolean): Buffer {
  const frames = Math.max(1, Math.ceil(block.length / defaultFrameBytes));
  const bytes = Buffer.allocUnsafe(block.length + frames * frameHeaderBytes);
  let position = 0;
  for (let start = 0, index = 0; index < frames; index++, start += defaultFrameBytes) {
    const end = Math.min(block.length, start + defaultFrameBytes);
    const flags = (index === 0 && endStream ? flag.endStream : 0) | (end === block.length ? flag.endHeaders : 0);
    writeFrameHeader(
      bytes,
      position,
      index === 0 ? frameType.headers : frameType.continuation,
      flags,
      streamId,
      end - start,
    );
    position += frameHeaderBytes;
    position += block.copy(bytes, position, start, end);
  }
  return bytes;
}

export function rstStreamFrame(streamId: number, code: number): Buffer {
  return numberFrame(frameType.rstStream, streamId, code);
}

export function windowUpdateFrame(streamId: number, increment: number): Buffer {
  return numberFrame(frameType.windowUpdate, streamId, increment);
}

export function pingFrame(data: Buffer, ack: boolean): Buffer {
  return Buffer.concat([frameHeader(frameType.ping, ack ? flag.ack : 0, 0, data.length), data]);
}

export function goawayFrame(lastStreamId: number, code: number): Buffer {
  const bytes = Buffer.allocUnsafe(frameHeaderBytes + 8);
  writeFrameHeader(bytes, 0, frameType.goaway, 0, 0, 8);
  bytes.writeUInt32BE(lastStreamId, frameHeaderBytes);
  bytes.writeUInt32BE(code, frameHeaderBytes + 4);
  return bytes;
}

/** Makes a SETTINGS frame of alternating identifiers and values. */
export function settingsFrame(settings: readonly number[]): Buffer {
  const bytes = Buffer.allocUnsafe(frameHeaderBytes + settings.length * 3);
  writeFrameHeader(bytes, 0, frameType.settings, 0, 0, settings.length * 3);
  for (let index = 0, position = frameHeaderBytes; index < settings.length; index += 2, position += 6) {
    bytes.writeUInt16BE(settings[index] as number, position);
    bytes.writeUInt32BE(settings[index + 1] as number, position + 2);
  }
  return bytes;
}

export function settingsAckFrame(): Buffer {
  return frameHeader(frameType.settings, flag.ack, 0, 0);
}

function numberFrame(type: number, streamId: number, value: number): Buffer {
  const bytes = Buffer.allocUnsafe(frameHeaderBytes + 4);
  writeFrameHeader(bytes, 0, type, 0, streamId, 4);
  bytes.writeUInt32BE(value, frameHeaderBytes);
  return bytes;
}

/** Writes the header of a frame into a buffer with room for it. */
export function writeFrameHeader(
  bytes: Buffer,
  at: number,
  type: number,
  flags: number,
  streamId: number,
  length: number,
): void {
  bytes.writeUIntBE(length, at, 3);
  bytes[at + 3] = type;
  bytes[at + 4] = flags;
  bytes.writeUInt32BE(streamId, at + 5);
}
