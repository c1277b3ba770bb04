import { STATUS_CODES } from "node:http";

/** The reason phrase of a status code (RFC 9110 section 15), empty for an unknown one. */
export function reasonPhrase(status: number): string {
  return STATUS_CODES[status] ?? "";
}
