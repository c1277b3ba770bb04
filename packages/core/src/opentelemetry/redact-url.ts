import { isSecretName } from "../config/secrets.ts";

/** The parameters of signed URLs: those that the semantic conventions name, and those of S3. */
const signatures: ReadonlySet<string> = new Set([
  ...["AWSAccessKeyId", "Signature", "sig", "X-Goog-Signature"],
  ...["X-Amz-Signature", "X-Amz-Credential", "X-Amz-Security-Token"],
]);

/** Masks user info of a URL in a path, as in `//user:password@host/`. */
export function redactPath(path: string): string {
  return path.includes("@") ? path.replace(/(^\/\/|:\/\/)[^/]*@/g, "$1***@") : path;
}

/**
 * Replaces the values of signatures, of parameters whose name suggests a secret, and user info of URLs. `query` has no question
 * mark. Takes linear time, for any text.
 */
export function redactQuery(query: string): string {
  return query.replace(/[^&;]+/g, redactParameter);
}

function redactParameter(parameter: string): string {
  const equals = parameter.indexOf("=");
  if (equals === -1) return parameter;
  const name = decode(parameter.slice(0, equals));
  if (signatures.has(name) || isSecretName(name)) return `${parameter.slice(0, equals)}=REDACTED`;
  return parameter.includes("@") ? parameter.replace(/:\/\/[^/?#]*@/g, "://***@") : parameter;
}

function decode(name: string): string {
  try {
    return name.includes("%") ? decodeURIComponent(name) : name;
  } catch {
    return name;
  }
}
