import { createPrivateKey, X509Certificate } from "node:crypto";
import { resolve } from "node:path";
import { maskSecrets } from "evenkeel";
import { limits } from "../defaults.ts";
import { readTextFile } from "../read-file.ts";

/** The required content of a PEM text: certificates, or a private key. */
export type PemKind = "ca" | "cert" | "key";

/** Whether a value is PEM text, not the path of a PEM file. */
export function isInlinePem(value: string): boolean {
  return value.includes("-----BEGIN ");
}

/**
 * Returns the PEM text of an option that holds PEM or the path of a PEM file, and validates it. Calls `report` for each
 * mistake. A relative path is relative to `directory`.
 */
export function readPem(value: string, kind: PemKind, directory: string, report: (mistake: string) => void): string {
  if (isInlinePem(value)) {
    if (!isUsable(value, kind)) report(`this text holds no ${expected[kind]}`);
    return value;
  }
  if (value.length > 4_096 || /[\r\n]/.test(value)) {
    report(`expected the path of a PEM file, or the text of one with its "-----BEGIN" line`);
    return value;
  }
  const path = resolve(directory, value);
  try {
    const text = readTextFile(path, limits.pemBytes);
    if (!isUsable(text, kind)) report(`${JSON.stringify(path)} holds no ${expected[kind]}`);
    return text;
  } catch (error) {
    report(maskSecrets((error as Error).message));
    return value;
  }
}

const expected: Readonly<Record<PemKind, string>> = {
  ca: "PEM certificate that can be read",
  cert: "PEM certificate that can be read",
  key: "PEM private key that can be read; an encrypted one has to be decrypted first",
};

function isUsable(text: string, kind: PemKind): boolean {
  try {
    if (kind === "key") return createPrivateKey(text).type === "private";
    const certificates = text.match(
      /-----BEGIN (?:TRUSTED )?CERTIFICATE-----.*?-----END (?:TRUSTED )?CERTIFICATE-----/gs,
    );
    return certificates?.every((certificate) => new X509Certificate(certificate).raw.length > 0) ?? false;
  } catch {
    return false;
  }
}
