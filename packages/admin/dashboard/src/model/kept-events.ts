/** Which events the page keeps. */

import type { EventData, EventName } from "./describe-event.ts";

export interface LoggedEvent {
  /** Unique and ascending within this page. */
  readonly key: number;
  /** When it happened, in milliseconds since 1970. */
  readonly time: number;
  readonly name: EventName;
  readonly data: EventData;
}

export const maxEvents = 300;

/** Takes events newest first. What hundreds of upstreams do by themselves displaces nothing else. */
export function keepLast(events: readonly LoggedEvent[]): readonly LoggedEvent[] {
  if (events.length <= maxEvents) return events;
  const routine = events.findLastIndex((event) => isWeightChange(event) || isGoodFirstVerdict(event));
  return events.toSpliced(routine === -1 ? events.length - 1 : routine, 1);
}

/** Made by the balancer itself, and frequent. A weight that an operator sets is not. */
export function isWeightChange({ name, data }: LoggedEvent): boolean {
  return name === "weight" && ["feedback", "announced", "slow-start"].includes(String(data["reason"]));
}

function isGoodFirstVerdict({ name, data }: LoggedEvent): boolean {
  return name === "health" && data["from"] === "unknown" && data["to"] === "healthy";
}
