import type { ExceptionEvent, HealthEvent, ReloadEvent, Proxy as ReverseProxy } from "evenkeel";
import type { FastifyBaseLogger } from "fastify";

/** The loggers that log a proxy's events: a shared proxy may be registered several times in one app. */
const subscribed = new WeakMap<ReverseProxy, Set<FastifyBaseLogger>>();

/** Logs the events that an operator should see, once per logger. Returns a function that stops it. */
export function logEvents(proxy: ReverseProxy, log: FastifyBaseLogger): () => void {
  const loggers = subscribed.get(proxy) ?? new Set();
  if (loggers.has(log)) return () => {};
  subscribed.set(proxy, loggers.add(log));
  const onHealth = ({ pool, upstream, from, to, reason }: HealthEvent) => {
    const facts = { pool, upstream, from, to, reason };
    if (to === "unhealthy") log.warn(facts, "upstream is unhealthy");
    else if (from === "unhealthy") log.info(facts, "upstream is healthy again");
  };
  const onReload = (event: ReloadEvent) => {
    if (event.ok) log.info({ changes: event.changes }, "proxy options reloaded");
    else log.warn({ err: event.error }, "proxy options rejected, the old ones stay in force");
  };
  const onException = ({ where, requestId, pool, error }: ExceptionEvent) => {
    log.error({ err: error, where, requestId, pool }, `${where} failed`);
  };
  proxy.on("health", onHealth).on("reload", onReload).on("exception", onException);
  return () => {
    loggers.delete(log);
    proxy.off("health", onHealth).off("reload", onReload).off("exception", onException);
  };
}
