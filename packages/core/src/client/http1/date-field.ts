import type { Clock } from "../../runtime/clock.ts";

let second = Number.NaN;
let line = "";

/** The line of a Date field (RFC 9110 section 6.6.1). Formatted once a second. */
export function dateLine(clock: Clock): string {
  const now = Math.floor(clock.wallNow() / 1_000);
  if (now !== second) {
    second = now;
    line = `Date: ${new Date(now * 1_000).toUTCString()}\r\n`;
  }
  return line;
}
