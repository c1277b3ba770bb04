import { createPrivateKey, X509Certificate } from "node:crypto";
import { type CertificateConfig, readTextFile, type ServerTlsConfig } from "@evenkeel/config";
import type { CertificateOptions, ServerTlsOptions } from "evenkeel/server";
import { Failure, messageOf } from "../failure.ts";
import { limits } from "../limits.ts";

/** The certificates and keys of the server, as PEM. */
export type TlsFiles = Required<ServerTlsOptions>;

/** Reads and validates the files in the configuration. Throws a `Failure` that names the wrong one. */
export function readTlsFiles(config: ServerTlsConfig): TlsFiles {
  return { ...readPair(config), certificates: config.certificates.map(readPair) };
}

function readPair(config: CertificateConfig): CertificateOptions {
  const cert = read("certificate", config.cert, (pem) => new X509Certificate(pem));
  const key = read("key", config.key, (pem) => createPrivateKey(pem));
  if (!cert.parsed.checkPrivateKey(key.parsed)) {
    throw new Failure(`server.tls: the key ${config.key} does not belong to the certificate ${config.cert}`);
  }
  return { cert: cert.pem, key: key.pem };
}

function read<T>(what: string, path: string, parse: (pem: string) => T): { pem: string; parsed: T } {
  let pem: string;
  try {
    pem = readTextFile(path, limits.pemBytes);
  } catch (error) {
    throw new Failure(`server.tls: cannot read the ${what}: ${messageOf(error)}`);
  }
  try {
    return { pem, parsed: parse(pem) };
  } catch {
    throw new Failure(`server.tls: ${path} is not a ${what} in PEM`);
  }
}
