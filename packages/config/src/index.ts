export {
  type AccessLogField,
  accessLogAdditions,
  accessLogFields,
  accessLogNames,
} from "./access-log-fields.ts";
export { describeTables } from "./command-tables/describe.ts";
export { ConfigError, type ConfigErrorKind, type ConfigMistake } from "./errors/config-error.ts";
export type {
  AccessLogConfig,
  AdminConfig,
  CertificateConfig,
  FileConfig,
  ServerConfig,
  ServerTlsConfig,
  TracingConfig,
} from "./file-config.ts";
export type { Environment } from "./interpolate/expand-variables.ts";
export { type LoadConfigOptions, loadConfig } from "./load-config.ts";
export { type ConfigFormat, type LoadedDocument, loadDocument } from "./load-document.ts";
export { openProxy, type ProxySource } from "./open-proxy.ts";
export type {
  AccessLogFieldOptions,
  AccessLogOptions,
  AdminOptions,
  CertificateOptions,
  CommandTables,
  FileOptions,
  ServerLimitOptions,
  ServerOptions,
  ServerTimeoutOptions,
  ServerTlsOptions,
  TracingOptions,
} from "./options.ts";
export { type ParseConfigOptions, parseConfig } from "./parse-config.ts";
export { nameFileType, readTextFile } from "./read-file.ts";
export { formatToml } from "./syntax/format-toml.ts";
export { type ConfigWatcher, watchConfig } from "./watch-config.ts";
