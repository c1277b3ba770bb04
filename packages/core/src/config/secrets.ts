/** Detects and masks secrets, so that reports of mistakes and descriptions of the options print none. */

import { editDistance } from "./edit-distance.ts";
import { isTable } from "./merge.ts";

const secretName =
  /secret|token|passw|passphrase|pwd|credential|authorization|cookies?$|(?:api|access|private|signing|encryption)[-_]?key|signature|^sig$|^keys/i;
const misspelt = ["secret", "token", "password"];

/** Keys that look like a secret and are not: the value of `cookie` is the name of a cookie. */
const plainNames = new Set(["cookie"]);

/** Tables of headers: each value can be a credential, whatever the name of its header. */
const headerTables = new Set(["headers", "set"]);

/** Whether the name of a key, a query parameter or a header suggests a secret. Slightly misspelt names count too. */
export function isSecretName(name: string): boolean {
  if (plainNames.has(name)) return false;
  if (secretName.test(name)) return true;
  const word = name.toLowerCase();
  return misspelt.some((secret) => {
    const most = secret.length < 6 ? 1 : 2;
    return Math.abs(word.length - secret.length) <= most && editDistance(word, secret) <= most;
  });
}

/** Whether a key holds a table of headers. */
export function isHeaderTable(key: string): boolean {
  return headerTables.has(key);
}

/**
 * Replaces each character of user info in URLs, secret query parameters, credentials after an authentication scheme, PEM and
 * long base64 by `*`. The length stays the same, so that columns of error messages stay correct.
 */
export function maskSecrets(text: string): string {
  return text
    .replace(/(?<=-----BEGIN [A-Z ]{1,64}-----)[\s\S]*?(?=-----END |$)/g, stars)
    .replace(/[A-Za-z0-9+/=]{100,}/g, (run) =>
      [/[A-Z]/, /[a-z]/, /\d/].every((kind) => kind.test(run)) ? stars(run) : run,
    )
    .replace(/(?<=\/\/)[^\s"'`<>]+/g, withoutUserInfo)
    .replace(/[^\s"'/]+/g, (run) => (hasUserInfo(run) ? withoutUserInfo(run) : run))
    .replace(/(?<=\b(?:Bearer|Basic|Digest|Negotiate) )[^\s"']+/gi, stars)
    .replace(/([?&;]([^=&?;#\s"']{1,64})=)([^&;#\s"']+)/g, (found, before: string, name: string, value: string) =>
      isSecretName(name) || /key$/i.test(name) ? before + stars(value) : found,
    );
}

/** A colon before an "@". In linear time: the text can come from a client. */
function hasUserInfo(text: string): boolean {
  const colon = text.indexOf(":");
  return colon >= 0 && text.lastIndexOf("@") > colon;
}

/** Masks up to the last "@": in a malformed URL the password can contain any character. */
function withoutUserInfo(text: string): string {
  const end = text.lastIndexOf("@");
  return end < 0 ? text : stars(text.slice(0, end)) + text.slice(end);
}

/** Returns a star for each character. Line breaks stay. */
function stars(text: string): string {
  return text.replace(/[^\r\n]/g, "*");
}

/** In place of a whole secret: its length is a secret too. */
const masked = "***";

/** Headers whose values are no credentials. The value of any other one is masked. */
const plainHeaders =
  /^(?:accept(?:-.*)?|access-control-.*|cache-control|content-.*|cross-origin-.*|host|permissions-policy|referrer-policy|server|strict-transport-security|timing-allow-origin|user-agent|vary|x-content-type-options|x-frame-options|x-robots-tag)$/i;

/** Masks the secrets in the options that `key` holds: plain data, of which undefined is left out. */
export function withoutSecrets(value: unknown, key = ""): unknown {
  if (Array.isArray(value)) return value.map((item) => withoutSecrets(item, key));
  if (isTable(value)) {
    const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
    return Object.fromEntries(
      entries.map(([name, inner]) => [
        name,
        isHeaderTable(key) ? maskHeader(name, inner) : withoutSecrets(inner, name),
      ]),
    );
  }
  if (typeof value !== "string") return value;
  if (key === "key" || isSecretName(key)) return masked;
  if (value.includes("-----BEGIN ")) return "PEM";
  return maskSecrets(key === "path" ? withoutQueryValues(value) : value);
}

/** Any parameter of a probe can be a credential, whatever its name. */
function withoutQueryValues(path: string): string {
  return path.replace(/([?&][^=&]*=)[^&]*/g, `$1${masked}`);
}

function maskHeader(name: string, value: unknown): unknown {
  return plainHeaders.test(name) && typeof value === "string" ? maskSecrets(value) : masked;
}
