/**
 * Keeps what clients send from breaking a log's lines, or from speaking to the terminal on which somebody reads it.
 */

/** What JSON.stringify leaves as it is: DEL, the C1 controls, and two separators that readers may take for line ends. */
const leftByJson = /[\u007f-\u009f\u2028\u2029]/g;

/** JSON on one line, of characters that do nothing. */
export function toSafeJson(value: unknown): string {
  return JSON.stringify(value).replace(leftByJson, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Like nginx: quotes, backslashes, controls and every byte beyond ASCII become \xHH. */
export function toSafeField(text: string): string {
  return text.replace(/["\\]|[^\x20-\x7e]/gu, (char) =>
    // A header's characters are its bytes; anything beyond comes from the configuration and is written as UTF-8.
    [...(char <= "\xff" ? Buffer.from(char, "latin1") : Buffer.from(char))].map(toHexEscape).join(""),
  );
}

/** Controls made visible, for text that goes to a terminal. */
export function toSafeText(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]/gu, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

/** User info behind "://", behind a leading "//", and at the start of CONNECT's target. */
const userInfo = /(^(?:\/\/)?|:\/\/)[^/?#]*@/g;

/** A URL without the name and password that may stand in front of a host. */
export function withoutUserInfo(url: string): string {
  return url.includes("@") ? url.replace(userInfo, "$1***@") : url;
}

function toHexEscape(byte: number): string {
  return `\\x${byte.toString(16).toUpperCase().padStart(2, "0")}`;
}
