import type { ProxyEvents } from "../events.ts";
import type { Reporter } from "../forward/reporter.ts";
import type { Clock } from "../runtime/clock.ts";
import { ExceptionWarnings } from "./exception-warnings.ts";
import type { ProxyRecords } from "./proxy-records.ts";

/** The part of the proxy's event emitter that reporting uses. */
interface Events {
  hasListeners(name: keyof ProxyEvents): boolean;
  emit<Name extends keyof ProxyEvents>(name: Name, ...args: ProxyEvents[Name]): void;
}

/** Creates the reporter of forwarding. It records requests, emits events, and warns of exceptions without a listener. */
export function createReporter({ metrics, failures, problems }: ProxyRecords, events: Events, clock: Clock): Reporter {
  const warnings = new ExceptionWarnings(clock);
  return {
    count: (labels, durationMs) => metrics.count(labels, durationMs),
    wants: (name) => events.hasListeners(name),
    failed: (event) => failures.record(event),
    request: (event) => events.emit("request", event),
    attempt: (event) => events.emit("attempt", event),
    retry: (event) => events.emit("retry", event),
    tunnel: (event) => events.emit("tunnel", event),
    problem: (problem) => {
      for (const listener of problems) listener(problem);
    },
    exception: (event) => {
      if (events.hasListeners("exception")) events.emit("exception", event);
      else warnings.warn(event);
    },
  };
}
