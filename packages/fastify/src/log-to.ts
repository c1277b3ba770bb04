import type { LogEntry, LoggerOption } from "evenkeel";
import type { FastifyBaseLogger } from "fastify";
import type { ParsedOptions } from "./options.ts";

/** The writer of each app's logger, so that several registrations with a shared proxy log each event once. */
const writers = new WeakMap<FastifyBaseLogger, (entry: LogEntry) => void>();

/** Logs the events of a proxy. Returns a function that stops it. */
export function logTo({ proxy, owned, logger }: ParsedOptions, log: FastifyBaseLogger): () => void {
  if (logger === false || (logger === undefined && !owned && proxy.logs.configured)) return () => {};
  return proxy.logs.add(logger ?? writerOf(log));
}

/** Whatever logger the app was given: with fastify, its methods take the fields first. */
function writerOf(log: FastifyBaseLogger): LoggerOption {
  let writer = writers.get(log);
  if (writer === undefined) {
    writer = ({ level, message, fields }) => log[level](fields, message);
    writers.set(log, writer);
  }
  return writer;
}
