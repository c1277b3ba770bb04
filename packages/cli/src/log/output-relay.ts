import type { Logger } from "pino";
import { reasonOf } from "../failure.ts";
import { ThrottledWarning } from "../throttled-warning.ts";
import type { LogSink } from "./log-sink.ts";
import { openSink } from "./open-sink.ts";

/** Writes what workers print to the standard output of this process: their access log. */
export class OutputRelay {
  readonly #sink: LogSink;
  readonly #dropped: ThrottledWarning;
  readonly #failed: ThrottledWarning;
  #lastError: Error | undefined;
  /** What is being written. */
  #text = "";

  constructor(logger: Logger) {
    this.#dropped = new ThrottledWarning((lines) =>
      logger.warn({ lines }, "access log lines were dropped because writing is too slow"),
    );
    this.#failed = new ThrottledWarning((times) =>
      logger.error({ times }, `the access log cannot be written: ${reasonOf(this.#lastError)}`),
    );
    this.#sink = openSink("stdout", {
      onDrop: () => this.#dropped.add(this.#text.split("\n").length - 1),
      onError: (error, closed) => {
        this.#lastError = error;
        if (closed) logger.warn("the reader of the access log on stdout has closed it; no more lines are written");
        else this.#failed.add();
      },
    });
  }

  readonly write = (lines: string): void => {
    this.#text = lines;
    this.#sink.write(lines);
  };

  /** Resolves when every line is written. */
  async close(): Promise<void> {
    await this.#sink.close();
    this.#dropped.close();
    this.#failed.close();
  }
}
