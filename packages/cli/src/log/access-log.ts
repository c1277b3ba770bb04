import type { AccessLogConfig } from "@evenkeel/config";
import type { RequestEvent } from "evenkeel";
import type { Logger } from "pino";
import { Failure, messageOf, reasonOf } from "../failure.ts";
import { Tally } from "../throttled-warning.ts";
import { toCombinedLine, toJsonLine } from "./access-log-format.ts";
import { checkSink, type LogSink, openSink, standardStreamAt } from "./log-sink.ts";

const formats = { json: toJsonLine, combined: toCombinedLine };

/** One line for each finished request. Whatever becomes of its file or its reader, requests are served. */
export class AccessLog {
  readonly #logger: Logger;
  readonly #dropped: Tally;
  readonly #failed: Tally;
  #lastError: Error | undefined;
  #config: AccessLogConfig;
  #sink: LogSink | undefined;
  #reopened: Promise<void> = Promise.resolve();

  /** Throws a `Failure` when the file cannot be opened. */
  static async open(config: AccessLogConfig, logger: Logger): Promise<AccessLog> {
    const log = new AccessLog(config, logger);
    log.#sink = await log.#open(config);
    return log;
  }

  private constructor(config: AccessLogConfig, logger: Logger) {
    this.#config = config;
    this.#logger = logger;
    this.#dropped = new Tally((lines) => logger.warn({ lines }, "access log lines were dropped: writing is too slow"));
    this.#failed = new Tally((times) =>
      logger.error({ times }, `the access log cannot be written: ${reasonOf(this.#lastError)}`),
    );
  }

  readonly write = (event: RequestEvent): void => {
    const { format } = this.#config;
    if (format !== "none") this.#sink?.write(formats[format](event));
  };

  /**
   * Opens the file anew, for what renames it now and then, or opens what a new configuration names instead. Never
   * rejects: at worst the old one goes on.
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
    this.#dropped.close();
    this.#failed.close();
  }

  async #reopen(config: AccessLogConfig): Promise<void> {
    const old = this.#sink;
    try {
      if (old !== undefined && isSameStream(config, this.#config)) {
        this.#config = config;
        return;
      }
      this.#sink = await this.#open(config);
      this.#config = config;
    } catch (error) {
      this.#logger.error(`${messageOf(error)}; the old access log stays in use`);
      return;
    }
    await old?.close();
    if (this.#sink !== undefined)
      this.#logger.info({ accessLog: config.path }, `the access log goes to ${config.path}`);
  }

  async #open({ format, path }: AccessLogConfig): Promise<LogSink | undefined> {
    if (format === "none") return undefined;
    try {
      return await openSink(path, {
        onDrop: () => this.#dropped.add(),
        onError: (error, gone) => {
          this.#lastError = error;
          if (gone) this.#logger.warn(`nobody reads the access log on ${path} any more; it ends here`);
          else this.#failed.add();
        },
      });
    } catch (error) {
      throw cannotOpen(path, error);
    }
  }
}

/** Throws a `Failure` for a path that cannot be an access log, as opening it would. Opens nothing. */
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

/** Whether both write to the same stream of the process, which cannot be opened again. */
function isSameStream(a: AccessLogConfig, b: AccessLogConfig): boolean {
  if (a.format === "none" || b.format === "none") return false;
  const stream = standardStreamAt(a.path);
  return stream !== undefined && stream === standardStreamAt(b.path);
}
