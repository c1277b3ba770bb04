import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { createSecureContext, type SecureContext } from "node:tls";
import { type ConfigIssue, OptionsError } from "../../config/issues.ts";
import type { CertificateOptions, ServerTlsOptions } from "../../config/options/server-options.ts";
import { limits } from "../limits.ts";

/** A certificate that a server may present. */
export interface Certificate extends CertificateOptions {
  /** The DNS names that it is issued for, in lower case; a wildcard is the first label. */
  readonly names: readonly string[];
}

/** Returns the default certificate and the others. Throws an `OptionsError` for each that cannot be used. */
export function parseCertificates(tls: ServerTlsOptions): readonly Certificate[] {
  const issues: ConfigIssue[] = [];
  const { certificates: others = [] } = tls;
  if (others.length >= limits.certificates) {
    throw new OptionsError([{ path: ["tls", "certificates"], message: `at most ${limits.certificates} certificates` }]);
  }
  const parsed = [
    parse(tls, ["tls"], issues),
    ...others.map((each, index) => parse(each, ["tls", "certificates", index], issues)),
  ];
  if (issues.length > 0) throw new OptionsError(issues);
  return parsed;
}

function parse({ cert, key }: CertificateOptions, path: (string | number)[], issues: ConfigIssue[]): Certificate {
  let certificate: X509Certificate | undefined;
  let privateKey: KeyObject | undefined;
  const fail = (at: string, message: string) => issues.push({ path: [...path, at], message });
  try {
    certificate = new X509Certificate(cert);
  } catch {
    fail("cert", "is not a certificate in PEM");
  }
  try {
    privateKey = createPrivateKey(key);
  } catch {
    fail("key", "is not a private key in PEM, or has a passphrase");
  }
  if (certificate === undefined || privateKey === undefined) return { cert, key, names: [] };
  if (!certificate.checkPrivateKey(privateKey)) fail("key", "does not belong to the certificate");
  return { cert, key, names: namesOf(certificate) };
}

/** The DNS names of the subject alternative name; the common name counts only where there are none (RFC 9525 section 2). */
function namesOf({ subjectAltName = "", subject }: X509Certificate): string[] {
  // Node writes names with unusual characters in quotes. Such a name is no host name.
  const names = [...subjectAltName.matchAll(/(?:^|, )DNS:([^",]+)(?=,|$)/g)].map(([, name = ""]) => name.toLowerCase());
  if (names.length > 0) return names;
  const common = /^CN=([\w*.-]+)$/m.exec(subject)?.[1];
  return common === undefined ? [] : [common.toLowerCase()];
}

/** The certificates of a server by name. */
export class CertificateSet {
  readonly list: readonly Certificate[];
  readonly #byName = new Map<string, SecureContext>();

  constructor(list: readonly Certificate[]) {
    this.list = list;
    const [first, ...others] = list;
    // The first one is the default. Its names are listed too, so that no other one takes them.
    for (const certificate of [first, ...others]) {
      if (certificate === undefined) continue;
      const names = certificate.names.filter((name) => !this.#byName.has(name));
      if (names.length === 0) continue;
      const context = createSecureContext({ cert: certificate.cert, key: certificate.key });
      for (const name of names) this.#byName.set(name, context);
    }
  }

  /** The context for a server name (RFC 6066 section 3); undefined for the default one. */
  contextFor(serverName: string): SecureContext | undefined {
    const name = serverName.toLowerCase();
    const exact = this.#byName.get(name);
    if (exact !== undefined) return exact;
    const dot = name.indexOf(".");
    return dot <= 0 ? undefined : this.#byName.get(`*${name.slice(dot)}`);
  }
}
