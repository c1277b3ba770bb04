/** Frames of WebSockets (RFC 6455 section 5.2), malformed ones included. */

export const opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface FrameOptions {
  /** Default: true. */
  readonly fin?: boolean;
  /** The three reserved bits. */
  readonly rsv?: number;
}

/** A frame as this side sends it: a client masks it, a server does not. */
export interface Sketch {
  readonly opcode: number;
  readonly payload: Buffer;
  readonly fin: boolean;
  readonly rsv: number;
}

export function frame(code: number, payload: string | Buffer = "", { fin = true, rsv = 0 }: FrameOptions = {}): Sketch {
  return { opcode: code, payload: Buffer.from(payload), fin, rsv };
}

export function close(code: number, reason: string | Buffer = ""): Sketch {
  return frame(opcode.close, Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason)]));
}

/** A message in fragments of so many bytes. */
export function fragments(code: number, message: string | Buffer, size: number): Sketch[] {
  const bytes = Buffer.from(message);
  const count = Math.max(Math.ceil(bytes.length / size), 1);
  return Array.from({ length: count }, (_, index) =>
    frame(index === 0 ? code : opcode.continuation, bytes.subarray(index * size, (index + 1) * size), {
      fin: index === count - 1,
    }),
  );
}

export function encode(sketches: readonly Sketch[], masked: boolean): Buffer {
  return Buffer.concat(sketches.flatMap((sketch) => encodeOne(sketch, masked)));
}

function encodeOne({ opcode: code, payload, fin, rsv }: Sketch, masked: boolean): Buffer[] {
  const { length } = payload;
  const extended = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const head = Buffer.alloc(2 + extended);
  head[0] = (fin ? 0x80 : 0) | (rsv << 4) | code;
  head[1] = (masked ? 0x80 : 0) | (extended === 0 ? length : extended === 2 ? 126 : 127);
  if (extended === 2) head.writeUInt16BE(length, 2);
  if (extended === 8) head.writeBigUInt64BE(BigInt(length), 2);
  if (!masked) return [head, payload];
  const mask = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);
  const bytes = Buffer.from(payload);
  for (let index = 0; index < length; index++) bytes[index] = (bytes[index] as number) ^ (mask[index & 3] as number);
  return [head, mask, bytes];
}
