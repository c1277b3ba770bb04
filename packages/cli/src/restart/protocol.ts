/**
 * The messages between a process that is replaced in place (the predecessor) and the one that replaces it (the successor).
 *
 * The two may be different versions of the software. Every message has the number of the protocol. A process ignores messages
 * of a type that it does not know, and refuses another number: a change that an older version cannot ignore needs a new one.
 *
 *     predecessor                               successor
 *                    <── hello ───────────────  it runs
 *     ─── welcome ──>
 *                    <── sockets ─────────────  everything that can fail is done
 *     ─── socket ───>  once for each, with the listening socket
 *     ─── sent ─────>
 *                    <── ready ───────────────  it accepts connections
 *     ─── draining ─>  from here on it accepts none
 *     ─── counts ───>  some times a second, and a last time before it ends
 */

import type { ListenerSnapshot, WorkerSnapshot } from "@evenkeel/admin";
import type { ProxySnapshot, UpstreamState } from "evenkeel";

export const protocol = 1;

/** The environment variable with the protocol of the process that a new process replaces. */
export const protocolVariable = "EVENKEEL_RESTART_PROTOCOL";

/** What an operator has set, which outlives the process. */
export interface OperatorIntent {
  readonly pool: string;
  readonly upstream: string;
  /** The server that is meant: another one with the same id keeps its own settings. */
  readonly url: string;
  /** Undefined if no operator has set it. It is void where another weight than `configured` is configured. */
  readonly weight?: { readonly set: number; readonly configured: number } | undefined;
  readonly state?: UpstreamState | undefined;
}

/** The counters of a process, whole: each message replaces the one before. */
export interface ProcessCounts {
  readonly snapshot: ProxySnapshot;
  readonly listener: ListenerSnapshot;
  /** How often its workers were replaced. Absent without workers, and from a version that does not say so. */
  readonly restarts?: readonly WorkerRestarts[] | undefined;
}

export type WorkerRestarts = Pick<WorkerSnapshot, "worker" | "restarts">;

export type SuccessorMessage =
  | { readonly type: "hello"; readonly version: string }
  | { readonly type: "sockets" }
  | { readonly type: "ready" }
  /** It cannot start. It ends next. */
  | { readonly type: "failed"; readonly message: string }
  /** Requests in flight in the predecessor shall end now. */
  | { readonly type: "end" };

export type PredecessorMessage =
  | {
      readonly type: "welcome";
      readonly version: string;
      /** Of the clients' listeners, formatted. */
      readonly listen: readonly string[];
      /** Of the admin API. */
      readonly admin?: string | undefined;
      /** Unix sockets of systemd, which the successor has as descriptors. */
      readonly descriptors: readonly SharedDescriptor[];
      readonly intent: readonly OperatorIntent[];
    }
  /** With the socket. */
  | { readonly type: "socket"; readonly use: SocketUse; readonly address: string }
  | { readonly type: "sent" }
  /** The intent is final. `reload`: a reload was requested during the restart. */
  | ({
      readonly type: "draining";
      readonly intent: readonly OperatorIntent[];
      readonly reload: boolean;
    } & ProcessCounts)
  | ({ readonly type: "counts" } & ProcessCounts);

export interface SharedDescriptor {
  readonly use: SocketUse;
  readonly address: string;
  readonly fd: number;
}

export type SocketUse = "clients" | "admin";

/** Another version of the software that cannot be replaced, or cannot replace this one. */
export class ProtocolMismatch extends Error {
  constructor(other: unknown) {
    super(
      `the other process uses version ${String(other).slice(0, 20)} of the restart protocol, this one version ${protocol}: ` +
        "stop the old process, and start the new one",
    );
  }
}

/** Adds the protocol to a message. */
export function toWire(message: SuccessorMessage | PredecessorMessage): object {
  return { protocol, ...message };
}

/** Undefined for an unknown type and for a malformed message. Throws a `ProtocolMismatch`. */
export function parseSuccessorMessage(value: unknown): SuccessorMessage | undefined {
  return parse<SuccessorMessage>(value, {
    hello: { version: isString },
    sockets: {},
    ready: {},
    failed: { message: isString },
    end: {},
  });
}

/** Undefined for an unknown type and for a malformed message. Throws a `ProtocolMismatch`. */
export function parsePredecessorMessage(value: unknown): PredecessorMessage | undefined {
  const counts = {
    snapshot: isObject,
    listener: isObject,
    restarts: (restarts: unknown) => restarts === undefined || listOf(isWorkerRestarts)(restarts),
  };
  return parse<PredecessorMessage>(value, {
    welcome: {
      version: isString,
      listen: listOf(isString),
      admin: (admin) => admin === undefined || isString(admin),
      descriptors: listOf(isDescriptor),
      intent: listOf(isIntent),
    },
    socket: { use: isUse, address: isString },
    sent: {},
    draining: { ...counts, intent: listOf(isIntent), reload: (reload) => typeof reload === "boolean" },
    counts,
  });
}

type Test = (value: unknown) => boolean;

/** `types` has the tests of the fields of each type. */
function parse<Message extends { readonly type: string }>(
  value: unknown,
  types: Readonly<Record<Message["type"], Readonly<Record<string, Test>>>>,
): Message | undefined {
  if (!isObject(value) || !("protocol" in value)) return undefined;
  if (value["protocol"] !== protocol) throw new ProtocolMismatch(value["protocol"]);
  const { type } = value;
  if (typeof type !== "string" || !Object.hasOwn(types, type)) return undefined;
  const fields = Object.entries(types[type as Message["type"]]);
  return fields.every(([field, test]) => test(value[field])) ? (value as unknown as Message) : undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isString(value: unknown): boolean {
  return typeof value === "string";
}

function listOf(test: Test): Test {
  return (value) => Array.isArray(value) && value.every(test);
}

function isUse(value: unknown): boolean {
  return value === "clients" || value === "admin";
}

function isDescriptor(value: unknown): boolean {
  return isObject(value) && isUse(value["use"]) && isString(value["address"]) && isNumber(value["fd"]);
}

function isWorkerRestarts(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { worker, restarts } = value;
  return isNumber(worker) && isObject(restarts) && Object.values(restarts).every(isNumber);
}

function isIntent(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { pool, upstream, url, weight, state } = value;
  return (
    [pool, upstream, url].every(isString) &&
    (weight === undefined || (isObject(weight) && isNumber(weight["set"]) && isNumber(weight["configured"]))) &&
    (state === undefined || state === "active" || state === "draining" || state === "disabled")
  );
}

function isNumber(value: unknown): boolean {
  return typeof value === "number" && Number.isFinite(value);
}
