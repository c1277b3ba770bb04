/**
 * The two messages of grpc.health.v1 (https://github.com/grpc/grpc/blob/master/doc/health-checking.md), encoded by hand, each
 * behind the five bytes with which gRPC frames a message.
 */

/** The path of the call. */
export const healthPath = "/grpc.health.v1.Health/Check";

/** The most bytes of a response: its message has a single small number. */
export const maxHealthResponseBytes = 1_024;

const frameBytes = 5;
const servingStatuses = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"] as const;

export type ServingStatus = (typeof servingStatuses)[number];

/** A `HealthCheckRequest`: field 1 is the service, or nothing for the server as a whole. */
export function encodeHealthRequest(service: string): Buffer {
  const name = Buffer.from(service);
  const message = name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a, ...varint(name.length)]), name]);
  const frame = Buffer.alloc(frameBytes);
  frame.writeUInt32BE(message.length, 1);
  return Buffer.concat([frame, message]);
}

/** The status in a `HealthCheckResponse`; undefined for anything but one whole message. */
export function decodeHealthResponse(bytes: Buffer): ServingStatus | undefined {
  // A message that is compressed, which was not offered, begins with another byte.
  if (bytes.length < frameBytes || bytes[0] !== 0 || bytes.readUInt32BE(1) !== bytes.length - frameBytes)
    return undefined;
  const reader = new MessageReader(bytes.subarray(frameBytes));
  let status = 0;
  while (!reader.done) {
    const tag = reader.varint();
    if (tag === undefined) return undefined;
    if (tag === 0x08) {
      const value = reader.varint();
      if (value === undefined) return undefined;
      status = value;
    } else if (!reader.skip(tag & 7)) return undefined;
  }
  return servingStatuses[status] ?? "UNKNOWN";
}

/** Reads the fields of a protobuf message (https://protobuf.dev/programming-guides/encoding/). */
class MessageReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** Undefined at the end of the message, and for a number that is too long. */
  varint(): number | undefined {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) return undefined;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    return undefined;
  }

  /** Skips a field that is not known. False if the message is malformed. */
  skip(wireType: number): boolean {
    if (wireType === 0) return this.varint() !== undefined;
    const length = wireType === 1 ? 8 : wireType === 5 ? 4 : wireType === 2 ? this.varint() : undefined;
    if (length === undefined || length > this.#bytes.length - this.#at) return false;
    this.#at += length;
    return true;
  }
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return [...bytes, rest];
}
