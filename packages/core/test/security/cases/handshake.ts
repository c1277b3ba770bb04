import { holds } from "../../support/expectations.ts";
import type { Expectation } from "../../support/raw-case.ts";

export const key = "dGhlIHNhbXBsZSBub25jZQ==";
export const smuggled = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";

export const right = [
  "Connection: Upgrade",
  "Upgrade: websocket",
  `Sec-WebSocket-Key: ${key}`,
  "Sec-WebSocket-Version: 13",
];

export function handshake(
  lines: readonly string[] = right,
  { method = "GET", version = "HTTP/1.1", target = "/case" } = {},
): string {
  return `${[`${method} ${target} ${version}`, "Host: h", ...lines].join("\r\n")}\r\n\r\n`;
}

/** `right`, but for one line. */
export function but(name: string, ...lines: string[]): readonly string[] {
  return [...right.filter((line) => !line.startsWith(`${name}:`)), ...lines];
}

export const neverSmuggled: Expectation = holds(
  "no byte behind it is a request",
  ({ heads, upstream }) =>
    heads.every(({ target }) => target !== "/smuggled") &&
    upstream.received.every((bytes) => !bytes.includes("/smuggled")),
);
