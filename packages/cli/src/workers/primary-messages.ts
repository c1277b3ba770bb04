/**
 * The messages of the primary to a worker. They arrive in order.
 *
 *     primary                                    worker
 *     ─── start ───────────────────────────────>
 *                    <── ready ────────────────  it can serve; or `failed`, and it ends
 *     ─── connection ──────────────────────────>  with the socket
 *                    <── accepted ─────────────  at once; the primary closes its copy
 *     ─── configure, sync ─────────────────────>  a reload; a change whose messages came before
 *                    <── confirmed ────────────  in force. The primary kills a worker that is late
 *     ─── ping ────────────────────────────────>
 *                    <── pong ─────────────────  everything sent before has been read
 *     ─── drain ───────────────────────────────>
 *                    <── drained ──────────────  with its last counts; it ends
 */

import type { FileConfig } from "@evenkeel/config";
import type { ExplainRequest, LimitGrant, LimitStart, StateUpdate } from "evenkeel";
import type { TlsFiles } from "../serving/tls-files.ts";

/**
 * The version of the messages in both directions. A worker is started from the files on disk, which may be those of another
 * version by then.
 */
export const protocol = 2;

/** A configuration that the primary has loaded and checked. The access log is a file, "stdout" or "stderr". */
export interface WorkerConfig {
  readonly config: FileConfig;
  readonly tls?: TlsFiles | undefined;
  /** See `Coordination`. */
  readonly generation: string;
}

export interface StartMessage extends WorkerConfig {
  readonly type: "start";
  readonly protocol: number;
  /** Its number, 1 to N. */
  readonly worker: number;
  /** Its id as a participant. */
  readonly id: string;
  /** The ids of all participants, and what they share. */
  readonly participants: readonly string[];
  readonly state: StateUpdate;
  readonly limits: LimitStart;
  /** Base64: clients continue their TLS sessions at any worker. */
  readonly ticketKeys: string;
}

/** With `n`, the reply has the same number. */
export type PrimaryMessage =
  | StartMessage
  /** With the socket. `index` is that of the listener's address. */
  | { readonly type: "connection"; readonly id: number; readonly index: number }
  | { readonly type: "ping"; readonly n: number }
  | ({ readonly type: "configure"; readonly n: number } & WorkerConfig)
  | { readonly type: "sync"; readonly n: number }
  | { readonly type: "report"; readonly n: number }
  | { readonly type: "failures"; readonly n: number }
  | { readonly type: "explain"; readonly n: number; readonly request: ExplainRequest }
  | { readonly type: "state"; readonly update: StateUpdate }
  | { readonly type: "participants"; readonly ids: readonly string[] }
  | { readonly type: "grant"; readonly grant: LimitGrant }
  | { readonly type: "reopenLog" }
  /** Requests in flight may take this long. */
  | { readonly type: "drain"; readonly timeoutMs: number }
  /** Ends what `drain` waits for. */
  | { readonly type: "end" };

/** The messages that a worker confirms or replies to. */
export type Question = Extract<PrimaryMessage, { readonly n: number }>;
