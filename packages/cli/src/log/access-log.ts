import type { AccessLogConfig } from "@evenkeel/config";
import type { RequestEvent } from "evenkeel";
import type { Logger } from "pino";
import { Failure, messageOf, reasonOf } from "../failure.ts";
import { compileFields } from "./access-log-fields.ts";
import { toCombinedLine, toJsonLine } from "./access-log-format.ts";
import { AccessLogWarnings } from "./access-log-warnings.ts";
import type { LogSink } from "./log-sink.ts";
import { checkSink, openSink, standardStreamAt } from "./open-sink.ts";

type Format = (event: RequestEvent) => string;

/** Writes one line for each finished request. A failure of its file or its reader does not affect requests. */
export class AccessLog {
  readonly #logger: Logger;
  readonly #warnings: AccessLogWarnings;
  #config: AccessLogConfig;
  #format: Format;
  #sink: LogSink | undefined;
  #reopened: Promise<void> = Promise.resolve();

  /** Throws a `Failure` when the file cannot be opened. */
  static open(config: AccessLogConfig, logger: Logger): AccessLog {
    const log = new AccessLog(config, logger);
    log.#sink = log.#open(config);
    return log;
  }

  private constructor(config: AccessLogConfig, logger: Logger) {
    this.#config = config;
    this.#format = formatOf(config);
    this.#logger = logger;
    this.#warnings = new AccessLogWarnings(logger);
  }

  readonly write = (event: RequestEvent): void => {
    this.#sink?.write(this.#format(event));
  };

  /**
   * Reopens the file after log rotation has renamed it, or opens the path in a new configuration. Never rejects: if it fails,
   * the old one stays in use.
   */
  reopen(config: AccessLogConfig): Promise<void> {
    this.#reopened = this.#reopened.then(() => this.#reopen(config));
    return this.#reopened;
  }

  /** Resolves when every line is written. */
  async close(): Promise<void> {
    await this.#reopened;
    const sink = this.#sink;
    this.#sink = undefined;
    await sink?.close();
    this.#warnings.close();
  }

  async #reopen(config: AccessLogConfig): Promise<void> {
    const old = this.#sink;
    try {
      if (old !== undefined && isSameStream(config, this.#config)) return this.#use(config);
      this.#sink = this.#open(config);
      this.#use(config);
    } catch (error) {
      this.#logger.error(`${messageOf(error)}; the old access log stays in use`);
      return;
    }
    await old?.close();
    if (this.#sink !== undefined)
      this.#logger.info({ accessLog: config.path }, `the access log goes to ${config.path}`);
  }

  #use(config: AccessLogConfig): void {
    this.#config = config;
    this.#format = formatOf(config);
  }

  #open({ format, path }: AccessLogConfig): LogSink | undefined {
    if (format === "none") return undefined;
    try {
      return openSink(path, {
        onDrop: () => this.#warnings.dropped(),
        onError: (error, closed) => this.#warnings.failed(error, closed, path),
      });
    } catch (error) {
      throw cannotOpen(path, error);
    }
  }
}

/** Without a sink, which the format "none" has not, the function is not called. */
function formatOf({ format, fields }: AccessLogConfig): Format {
  if (format === "combined") return toCombinedLine;
  return fields === undefined ? toJsonLine : compileFields(fields);
}

/** Throws the `Failure` that opening an access log at this path would throw. Opens nothing. */
export function checkAccessLog({ format, path }: AccessLogConfig): void {
  try {
    if (format !== "none") checkSink(path);
  } catch (error) {
    throw cannotOpen(path, error);
  }
}

function cannotOpen(path: string, error: unknown): Failure {
  return new Failure(`the access log ${path} cannot be opened: ${reasonOf(error)}`);
}

/** Whether both write to the same standard stream, which cannot be reopened. */
function isSameStream(a: AccessLogConfig, b: AccessLogConfig): boolean {
  if (a.format === "none" || b.format === "none") return false;
  const stream = standardStreamAt(a.path);
  return stream !== undefined && stream === standardStreamAt(b.path);
}
