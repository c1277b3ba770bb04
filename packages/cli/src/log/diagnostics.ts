import { type Logger, pino } from "pino";
import { prettyFactory } from "pino-pretty";
import type { LogSink } from "./log-sink.ts";
import { openSink } from "./open-sink.ts";

/** The log of the command itself, on stderr: JSON lines, or readable lines on a terminal. */
export interface Diagnostics {
  readonly logger: Logger;
  /** Writes lines of the logs of other processes of this command, as they are in a pipe. */
  readonly relay: (lines: string) => void;
  /** Resolves when all lines are written. */
  close(): Promise<void>;
}

/** On a terminal, `write` receives the lines instead of stderr, for code that draws on the same terminal. */
export function openDiagnostics(write?: (text: string) => void): Diagnostics {
  // A failure of stderr cannot be reported anywhere.
  const sink = openSink("stderr", { onDrop() {}, onError() {} });
  const print = process.stderr.isTTY
    ? toTerminal(write ?? ((text) => sink.write(text)))
    : (lines: string) => sink.write(lines);
  const logger = pino(
    {
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: print },
  );
  return { logger, relay: print, close: () => sink.close() };
}

function toTerminal(write: LogSink["write"]): (lines: string) => void {
  // A terminal shows the messages only; the fields are for programs.
  const format = prettyFactory({ translateTime: "SYS:HH:MM:ss", hideObject: true });
  return (lines) => {
    for (const line of lines.split("\n")) if (line !== "") write(format(line));
  };
}
