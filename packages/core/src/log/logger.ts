import { Console } from "node:console";
import { OptionsError, show } from "../config/issues.ts";
import { messageOf } from "../runtime/error-text.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";

/** One line of a log. */
export interface LogEntry {
  readonly level: LogLevel;
  /** A complete sentence on one line. */
  readonly message: string;
  /** The same facts for programs. An exception of the app's code is in `err`. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/**
 * A logger such as pino's, winston's or the console: `debug` may be missing. pino and bunyan get `(fields, message)`, the
 * console `(message)`, all others `(message, fields)`.
 */
export interface Logger {
  debug?(...values: never[]): unknown;
  info(...values: never[]): unknown;
  warn(...values: never[]): unknown;
  error(...values: never[]): unknown;
}

/** A logger, or a function that writes one entry, for a logger with other methods. */
export type LoggerOption = Logger | ((entry: LogEntry) => void);

/** Writes an entry. Never throws. */
export type WriteEntry = (entry: LogEntry) => void;

/** An exception may quote a client, whose text must not begin a line of its own or control a terminal. */
const controls = /[\p{Cc}\u2028\u2029]+/gu;

type Write = (entry: LogEntry) => unknown;
type LogMethod = (...values: unknown[]) => unknown;

/**
 * Returns a function that writes entries to a logger. The first failure of the logger is a process warning, the others are
 * ignored. Throws an `OptionsError` for a value that is no logger.
 */
export function toWriter(logger: LoggerOption): WriteEntry {
  const write = styleOf(logger);
  let warned = false;
  const warn = (error: unknown) => {
    if (warned) return;
    warned = true;
    process.emitWarning(`the logger failed: ${messageOf(error)}`, "EvenkeelWarning");
  };
  return (entry) => {
    try {
      const written: unknown = write({ ...entry, message: entry.message.replace(controls, " ") });
      if (written instanceof Promise) written.catch(warn);
    } catch (error) {
      warn(error);
    }
  };
}

function styleOf(logger: LoggerOption): Write {
  const call = (level: LogLevel, ...values: unknown[]) => {
    const method = Reflect.get(logger, level) as LogMethod | undefined;
    return method === undefined ? undefined : Reflect.apply(method, logger, values);
  };
  if (typeof logger === "function" && !hasMethods(logger)) return logger as Write;
  if (!hasMethods(logger)) {
    const message = `expected a logger with info, warn and error, or a function, found ${show(logger)}`;
    throw new OptionsError([{ path: ["logger"], message }]);
  }
  if (takesFieldsFirst(logger)) return ({ level, message, fields }) => call(level, fields, message);
  if (logger instanceof Console) return ({ level, message, fields }) => toConsole(call, level, message, fields["err"]);
  return ({ level, message, fields }) => call(level, message, withoutError(fields));
}

function hasMethods(value: unknown): value is Logger {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  return ["info", "warn", "error"].every((name) => typeof Reflect.get(value, name) === "function");
}

/** pino's loggers have `bindings`, those of bunyan `fields` and `addStream`. winston's have neither. */
function takesFieldsFirst(logger: object): boolean {
  const has = (name: string) => typeof Reflect.get(logger, name) === "function";
  return has("bindings") || (has("addStream") && "fields" in logger);
}

/** Without debug entries: the console prints them, and there may be one each second. */
function toConsole(
  call: (level: LogLevel, ...values: unknown[]) => unknown,
  level: LogLevel,
  message: string,
  error: unknown,
): void {
  if (level === "debug") return;
  if (error === undefined) call(level, message);
  else call(level, message, error);
}

/** An `Error` is `{}` as JSON, so loggers that do not know `err` get its text. */
function withoutError(fields: LogEntry["fields"]): LogEntry["fields"] {
  if (!("err" in fields)) return fields;
  const { err, ...rest } = fields;
  return { ...rest, error: messageOf(err), ...(err instanceof Error && { stack: err.stack }) };
}
