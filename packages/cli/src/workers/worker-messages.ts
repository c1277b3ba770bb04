/** The messages of a worker to the primary. See primary-messages.ts. */

import type { AdminEvents, ProcessSnapshot } from "@evenkeel/admin";
import type { Explanation, FailedRequest, LimitReport, ProxySnapshot, WeightEvent } from "evenkeel";
import type { ServerStatus } from "evenkeel/server";

/** What a worker holds at a moment. */
export interface Held {
  /** Open client connections. */
  readonly connections: number;
  /** Without tunnels. */
  readonly requests: number;
  readonly tunnels: number;
}

/** The counts of a worker, whole: each report replaces the one before. */
export interface WorkerReport {
  readonly snapshot: ProxySnapshot;
  readonly status: ServerStatus;
  readonly process: ProcessSnapshot;
}

export type WorkerMessage =
  | { readonly type: "ready"; readonly protocol: number }
  | { readonly type: "failed"; readonly message: string }
  | { readonly type: "accepted"; readonly id: number; readonly connections: number }
  /** Connections have closed. */
  | { readonly type: "connections"; readonly connections: number }
  | { readonly type: "pong"; readonly n: number; readonly held: Held }
  /** `error`: the worker could not apply it. */
  | { readonly type: "confirmed"; readonly n: number; readonly error?: string }
  | { readonly type: "report"; readonly n: number; readonly report: WorkerReport }
  | { readonly type: "failures"; readonly n: number; readonly failures: readonly FailedRequest[] }
  | { readonly type: "explained"; readonly n: number; readonly explanation?: Explanation }
  | { readonly type: "state"; readonly update: unknown }
  | { readonly type: "limits"; readonly report: LimitReport }
  | { readonly type: "event"; readonly name: WorkerEventName; readonly event: object }
  | { readonly type: "drained"; readonly report: WorkerReport };

/** The events that a worker causes by its own traffic. The primary has the others itself. */
export type WorkerEventName = Extract<keyof AdminEvents, "eject" | "readmit" | "weight">;

/** The reasons of weight events that the traffic of a worker causes. The other ones are those of the primary. */
export const weightReasonsOfTraffic: ReadonlySet<WeightEvent["reason"]> = new Set([
  "feedback",
  "announced",
  "slow-start",
]);

type Test = (value: unknown) => boolean;

const isCount: Test = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const isText: Test = (value) => typeof value === "string";
const isObject: Test = (value) => typeof value === "object" && value !== null;
const optional =
  (test: Test): Test =>
  (value) =>
    value === undefined || test(value);
const withFields =
  (fields: Readonly<Record<string, Test>>): Test =>
  (value) =>
    isObject(value) && Object.entries(fields).every(([name, test]) => test((value as Record<string, unknown>)[name]));

const isHeld = withFields({ connections: isCount, requests: isCount, tunnels: isCount });
const isReport = withFields({
  snapshot: withFields({
    pools: Array.isArray,
    requests: Array.isArray,
    grpcCalls: Array.isArray,
    errors: Array.isArray,
    durations: Array.isArray,
  }),
  status: withFields({ connections: isObject, handshakeFailures: isObject }),
  process: isObject,
});

const shapes: Readonly<Record<WorkerMessage["type"], Readonly<Record<string, Test>>>> = {
  ready: { protocol: isCount },
  failed: { message: isText },
  accepted: { id: isCount, connections: isCount },
  connections: { connections: isCount },
  pong: { n: isCount, held: isHeld },
  confirmed: { n: isCount, error: optional(isText) },
  report: { n: isCount, report: isReport },
  failures: { n: isCount, failures: Array.isArray },
  explained: { n: isCount, explanation: optional(isObject) },
  state: { update: isObject },
  limits: { report: withFields({ count: isCount, applied: isCount, uses: Array.isArray }) },
  event: { name: (name) => name === "eject" || name === "readmit" || name === "weight", event: isObject },
  drained: { report: isReport },
};

/** Undefined for an unknown type and for a message of another shape. */
export function parseWorkerMessage(value: unknown): WorkerMessage | undefined {
  const type = (value as { readonly type?: unknown } | null)?.type;
  if (typeof type !== "string" || !Object.hasOwn(shapes, type)) return undefined;
  return withFields(shapes[type as WorkerMessage["type"]])(value) ? (value as WorkerMessage) : undefined;
}
