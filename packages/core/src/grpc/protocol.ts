/** gRPC over HTTP/2 (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md). */

/** Milliseconds: a longer timeout is not a bound. */
const maxTimeoutMs = 86_400_000;

/** `application/grpc`, `application/grpc+proto` and so on, but not gRPC-Web, which has its status in the body. */
export function isGrpcType(contentType: string): boolean {
  return /^application\/grpc(?:\+[\w.+-]*)?[ \t]*(?:;|$)/i.test(contentType);
}

const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 0.001, n: 0.000_001 };

/** Milliseconds of a `grpc-timeout` field. Undefined for a malformed one, which is up to the upstream, and for none at all. */
export function parseGrpcTimeout(text: string | undefined): number | undefined {
  const [, digits, unit = ""] = /^(\d{1,8})([HMSmun])$/.exec(text ?? "") ?? [];
  if (digits === undefined) return undefined;
  const ms = Number(digits) * (unitMs[unit] ?? 0);
  return ms > maxTimeoutMs ? undefined : ms;
}

/** A `grpc-timeout` field for this time. At most a day, so that milliseconds have no more than 8 digits. */
export function formatGrpcTimeout(ms: number): string {
  return `${Math.max(1, Math.ceil(ms))}m`;
}

/** A `grpc-message` field: printable ASCII, and everything else percent-encoded. */
export function encodeGrpcMessage(text: string): string {
  return text.replace(/[^\x20-\x24\x26-\x7e]/gu, (character) =>
    [...Buffer.from(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join(""),
  );
}
