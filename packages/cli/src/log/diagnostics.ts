import { type Logger, pino } from "pino";
import { prettyFactory } from "pino-pretty";
import { type LogSink, openSink } from "./log-sink.ts";

/** What the command has to say about itself, on stderr: JSON lines, or readable ones on a terminal. */
export interface Diagnostics {
  readonly logger: Logger;
  /** Resolves when everything is written. */
  close(): Promise<void>;
}

/** `write` takes the lines of a terminal instead of stderr, for what draws on the same terminal. */
export async function openDiagnostics(write?: (text: string) => void): Promise<Diagnostics> {
  // There is nobody left to tell when stderr fails.
  const sink = await openSink("stderr", { onDrop() {}, onError() {} });
  const logger = pino(
    {
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: process.stderr.isTTY ? toTerminal(write ?? ((text) => sink.write(text))) : (line) => sink.write(line) },
  );
  return { logger, close: () => sink.close() };
}

function toTerminal(write: LogSink["write"]): (line: string) => void {
  // The messages say everything; the fields are for programs.
  const format = prettyFactory({ translateTime: "SYS:HH:MM:ss", hideObject: true });
  return (line) => write(format(line));
}
