import type { FileConfig } from "@evenkeel/config";
import { readTlsFiles, type TlsFiles } from "./tls-files.ts";

/** A configuration with the certificates that it names: loaded and validated once, so that every process has the same. */
export interface LoadedConfig {
  readonly config: FileConfig;
  /** Undefined for plain HTTP. */
  readonly tls: TlsFiles | undefined;
}

/** Throws what `load` throws, or a `Failure` for a certificate that cannot be used. */
export function loadAll(load: () => FileConfig): LoadedConfig {
  const config = load();
  return { config, tls: config.server.tls && readTlsFiles(config.server.tls) };
}
