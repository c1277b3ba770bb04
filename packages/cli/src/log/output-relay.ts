import type { Logger } from "pino";
import { AccessLogWarnings } from "./access-log-warnings.ts";
import type { LogSink } from "./log-sink.ts";
import { openSink } from "./open-sink.ts";

/** Writes what workers print to the standard output of this process: their access log. */
export class OutputRelay {
  readonly #sink: LogSink;
  readonly #warnings: AccessLogWarnings;
  /** What is being written. */
  #text = "";

  constructor(logger: Logger) {
    this.#warnings = new AccessLogWarnings(logger);
    this.#sink = openSink("stdout", {
      onDrop: () => this.#warnings.dropped(this.#text.split("\n").length - 1),
      onError: (error, closed) => this.#warnings.failed(error, closed, "stdout"),
    });
  }

  readonly write = (lines: string): void => {
    this.#text = lines;
    this.#sink.write(lines);
  };

  /** Resolves when every line is written. */
  async close(): Promise<void> {
    await this.#sink.close();
    this.#warnings.close();
  }
}
