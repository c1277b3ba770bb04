import { isSecretName } from "../config/secrets.ts";

/** The parameters of signed URLs: those that the semantic conventions name, and those of S3. */
const signatures: ReadonlySet<string> = new Set([
  ...["AWSAccessKeyId", "Signature", "sig", "X-Goog-Signature"],
  ...["X-Amz-Signature", "X-Amz-Credential", "X-Amz-Security-Token"],
]);

/** Replaces the values of signatures, and of parameters whose name suggests a secret. `query` has no question mark. */
export function redactQuery(query: string): string {
  return query.replace(/([^&;=]+)=([^&;]+)/g, (found, name: string) =>
    signatures.has(name) || isSecretName(name) ? `${name}=REDACTED` : found,
  );
}
