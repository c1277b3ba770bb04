/** The words, tones and shapes for the statuses of upstreams. The tone gives the colour, and is never the only sign. */

import type { Problem, UpstreamOverview, UpstreamStatus } from "@evenkeel/admin";

/** `bad`: gets no requests, and should. `warn`: gets fewer than it should. `idle`: taken out by an operator, or unknown. */
export type Tone = "ok" | "warn" | "bad" | "idle";

export interface StatusInfo {
  readonly label: string;
  readonly tone: Tone;
  /** What it means for requests. */
  readonly meaning: string;
}

const statuses: Readonly<Record<UpstreamStatus, StatusInfo>> = {
  healthy: { label: "Healthy", tone: "ok", meaning: "Health checks succeed. It gets requests." },
  unchecked: {
    label: "Serving",
    tone: "ok",
    meaning: "It has no health checks, and nothing is known against it. It gets requests.",
  },
  warming: { label: "Warming up", tone: "ok", meaning: "Slow start: its share of requests grows to its full weight." },
  full: {
    label: "Full",
    tone: "warn",
    meaning: "It is at its limit of requests in flight. New requests go elsewhere or wait.",
  },
  checking: {
    label: "Checking",
    tone: "idle",
    meaning: "It gets no requests before its first health check has succeeded.",
  },
  failing: {
    label: "Failing",
    tone: "bad",
    meaning: "The last attempts to connect have failed. It has no health checks.",
  },
  trial: {
    label: "On trial",
    tone: "warn",
    meaning: "Its ejection has ended. It gets one request at a time until one succeeds.",
  },
  ejected: { label: "Ejected", tone: "bad", meaning: "Requests have failed. It gets none until its ejection ends." },
  unhealthy: {
    label: "Unhealthy",
    tone: "bad",
    meaning: "Health checks fail. It gets no requests until they succeed.",
  },
  draining: { label: "Draining", tone: "idle", meaning: "It gets no new clients. Requests in flight are finished." },
  disabled: { label: "Disabled", tone: "idle", meaning: "An operator has taken it out. It gets no requests." },
};

export function statusInfo(status: UpstreamStatus): StatusInfo {
  return statuses[status] ?? { label: status, tone: "idle", meaning: "" };
}

export function toneOf({ status }: UpstreamOverview): Tone {
  return statusInfo(status).tone;
}

/** The tone of a row: that of the status, or a warning for a problem that the status does not tell, such as errors. */
export function rowTone(upstream: UpstreamOverview, problem: Problem | undefined): Tone {
  const tone = toneOf(upstream);
  return problem !== undefined && tone !== "bad" ? "warn" : tone;
}

/** An upstream that an operator has taken out is no trouble. */
export function isTrouble(tone: Tone): boolean {
  return tone === "bad" || tone === "warn";
}

/** From 5 % on, as for the problems that the server reports. */
export function errorTone(ratio: number | null): Tone | undefined {
  if (ratio === null || ratio === 0) return undefined;
  return ratio >= 0.05 ? "bad" : "warn";
}

/** Whether new requests may go to the upstream now. */
export function isServing({ status }: UpstreamOverview): boolean {
  return ["healthy", "unchecked", "warming", "full", "trial", "failing"].includes(status);
}
