/** What of a configuration must not reach a terminal or a log when a mistake in it is reported. */

import { editDistance } from "./edit-distance.ts";

const secretName =
  /secret|token|passw|passphrase|pwd|credential|authorization|cookies?$|(?:api|access|private|signing|encryption)[-_]?key|signature|^sig$|^keys/i;
const misspelt = ["secret", "token", "password"];

/** Keys whose value is the name of a cookie, and no cookie. */
const plainNames = new Set(["cookie"]);

/** Tables of headers: each of their values may be a credential, whatever its header is called. */
const headerTables = new Set(["headers", "set"]);

/** Whether a key, a query parameter or a header is named like something secret, slightly misspelt names included. */
export function isSecretName(name: string): boolean {
  if (plainNames.has(name)) return false;
  if (secretName.test(name)) return true;
  const word = name.toLowerCase();
  return word.length <= 16 && misspelt.some((secret) => editDistance(word, secret) <= (secret.length < 6 ? 1 : 2));
}

/** Whether the keys of a table are headers with values of the user's own. */
export function isHeaderTable(key: string): boolean {
  return headerTables.has(key);
}

/**
 * Puts `*` in place of user info of URLs, secret query parameters, credentials behind an authentication scheme, PEM and long base64. The
 * length stays, so that a column still names the same place.
 */
export function maskSecrets(text: string): string {
  return text
    .replace(/(?<=-----BEGIN [A-Z ]{1,64}-----)[\s\S]*?(?=-----END |$)/g, stars)
    .replace(/[A-Za-z0-9+/=]{100,}/g, (run) =>
      [/[A-Z]/, /[a-z]/, /\d/].every((kind) => kind.test(run)) ? stars(run) : run,
    )
    .replace(/(?<=\/\/)[^\s"'`<>]+/g, withoutUserInfo)
    .replace(/[^\s"'/]+/g, (run) => (/:.*@/.test(run) ? withoutUserInfo(run) : run))
    .replace(/(?<=\b(?:Bearer|Basic|Digest|Negotiate) )[^\s"']+/gi, stars)
    .replace(/([?&;]([^=&?;#\s"']{1,64})=)([^&;#\s"']+)/g, (found, before: string, name: string, value: string) =>
      isSecretName(name) || /key$/i.test(name) ? before + stars(value) : found,
    );
}

/** The last "@" counts: a password may hold any character where a URL is not written as it should be. */
function withoutUserInfo(text: string): string {
  const end = text.lastIndexOf("@");
  return end < 0 ? text : stars(text.slice(0, end)) + text.slice(end);
}

/** As many stars as characters; line breaks stay. */
function stars(text: string): string {
  return text.replace(/[^\r\n]/g, "*");
}
