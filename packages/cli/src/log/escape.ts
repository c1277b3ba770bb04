/**
 * Escapes text that clients send, so that it cannot break the lines of a log or control a terminal.
 */

/** Characters that JSON.stringify does not escape: DEL, the C1 controls, and two separators that may count as line breaks. */
const leftByJson = /[\u007f-\u009f\u2028\u2029]/g;

/** Returns JSON without control characters, on one line unless an indentation is given. */
export function toSafeJson(value: unknown, indentation?: number): string {
  return JSON.stringify(value, null, indentation).replace(
    leftByJson,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** What JSON or `leftByJson` escapes in a string. JSON.stringify escapes surrogates that are not in pairs. */
const escapedInJson = /[^ !#-[\]-~\u00a0-\u2027\u202a-\ud7ff\ue000-\uffff]/;

/** Returns what `toSafeJson` has between the quotes of a string. Fast for a text without escapes. */
export function toJsonText(text: string): string {
  return escapedInJson.test(text) ? toSafeJson(text).slice(1, -1) : text;
}

/** Escapes like nginx: quotes, backslashes, control characters and every byte above ASCII become \xHH. */
export function toSafeField(text: string): string {
  return text.replace(/["\\]|[^\x20-\x7e]/gu, (char) =>
    // The characters of a header are its bytes. Others come from the configuration and are written as UTF-8.
    [...(char <= "\xff" ? Buffer.from(char, "latin1") : Buffer.from(char))].map(toHexEscape).join(""),
  );
}

/** Escapes control characters, for text that goes to a terminal. */
export function toSafeText(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]/gu, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

/** User info behind "://", behind a leading "//", and at the start of a CONNECT target. */
const userInfo = /(^(?:\/\/)?|:\/\/)[^/?#]*@/g;

/** Masks the user name and password of a URL. */
export function withoutUserInfo(url: string): string {
  return url.includes("@") ? url.replace(userInfo, "$1***@") : url;
}

function toHexEscape(byte: number): string {
  return `\\x${byte.toString(16).toUpperCase().padStart(2, "0")}`;
}
