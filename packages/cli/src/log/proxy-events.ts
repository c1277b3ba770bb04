import type { AdminEvents, AdminTarget } from "@evenkeel/admin";
import type { ReadmissionReason, ReloadChanges, Proxy as ReverseProxy } from "evenkeel";
import type { Logger } from "pino";
import { messageOf } from "../failure.ts";

const readmissions: Readonly<Record<ReadmissionReason, string>> = {
  trial: "a trial request succeeded",
  probe: "a probe succeeded",
  off: "outlier detection was switched off",
};

type Loggers = { readonly [Name in keyof AdminEvents]: (event: AdminEvents[Name]) => void };

/** Logs what happens to the pools and to the configuration. Requests have a log of their own. */
export function logProxyEvents(target: AdminTarget, logger: Logger): void {
  const loggers = loggersOf(logger);
  const listen = <Name extends keyof AdminEvents>(name: Name) => target.on(name, loggers[name]);
  for (const name of Object.keys(loggers) as (keyof AdminEvents)[]) listen(name);
}

/** Logs the exceptions of policies in this process. */
export function logExceptions(proxy: ReverseProxy, logger: Logger): void {
  proxy.on("exception", ({ where, requestId, pool, error }) => {
    logger.error({ err: error, where, requestId, pool }, `${where} failed: ${messageOf(error)}`);
  });
}

function loggersOf(logger: Logger): Loggers {
  return {
    health(event) {
      const level = event.to === "unhealthy" ? "warn" : "info";
      const why = event.cause === undefined ? event.reason : `${event.reason}, ${event.cause}`;
      logger[level](event, `${event.pool}/${event.upstream} is ${event.to}: ${why}`);
    },
    eject(event) {
      const forSeconds = Math.round(event.forMs / 1_000);
      logger.warn(event, `${event.pool}/${event.upstream} is ejected for ${forSeconds} s: ${event.reason}`);
    },
    readmit(event) {
      logger.info(event, `${event.pool}/${event.upstream} is readmitted: ${readmissions[event.reason]}`);
    },
    weight(event) {
      const { pool, upstream, reason, detail } = event;
      const [from, to] = [event.from, event.to].map((weight) => Math.round(weight * 1_000) / 1_000);
      const why = detail === undefined ? reason : `${reason}, ${detail}`;
      // An upstream may announce another load every second.
      const level = reason === "announced" ? "debug" : "info";
      logger[level](event, `${pool}/${upstream} has weight ${to}, was ${from}: ${why}`);
    },
    state(event) {
      logger.info(event, `${event.pool}/${event.upstream} is ${event.to}, was ${event.from}`);
    },
    member(event) {
      logger.info(event, `${event.pool}/${event.upstream} was ${event.change}`);
    },
    discovery(event) {
      const { pool, name, ok, error, members } = event;
      const upstreams = `${members} ${members === 1 ? "upstream" : "upstreams"}`;
      if (ok) logger.info(event, `${pool}: ${name} resolves to ${upstreams}`);
      else logger.warn(event, `${pool}: the lookup of ${name} fails: ${error}; ${upstreams} found before stay in use`);
    },
    reload(event) {
      if (event.ok) logger.info({ changes: event.changes }, `reloaded: ${describeChanges(event.changes)}`);
      else logger.error(`reload failed, the old configuration stays in force: ${messageOf(event.error)}`);
    },
  };
}

/** Describes the changes of a reload, as in `upstreams added: api/b`. */
export function describeChanges({ pools, upstreams }: ReloadChanges): string {
  const changes = Object.entries({
    "pools added": pools.added,
    "pools removed": pools.removed,
    "pools changed": pools.changed,
    "upstreams added": upstreams.added,
    "upstreams removed": upstreams.removed,
  }).filter(([, names]) => names.length > 0);
  if (changes.length === 0) return "pools and upstreams stay as they are";
  return changes.map(([what, names]) => `${what}: ${names.join(", ")}`).join("; ");
}
