import type {
  ExplainRequest,
  Explanation,
  FailedRequest,
  LoggedEvents,
  ProxySnapshot,
  UpstreamChange,
  UpstreamOptions,
} from "evenkeel";
import type { WorkerSnapshot } from "../workers/worker-snapshot.ts";

/** The events that the admin API sends. `worker` is the number of the worker that an event comes from. */
export type AdminEvents = LoggedEvents;

/** What an admin API inspects and changes: one proxy, or a group of workers that serve the same configuration. */
export interface AdminTarget {
  /** The state of the target; that of a group merged. */
  snapshot(): Promise<ProxySnapshot>;
  /** The pools in force. */
  poolNames(): Iterable<string>;
  /**
   * The change is in force everywhere when this resolves. Rejects with `unknown_upstream` (a `ProxyError`), also for an unknown
   * pool. `change` is validated already.
   */
  setUpstream(pool: string, id: string, change: UpstreamChange): Promise<void>;
  /** Resolves with the id. Rejects with an `OptionsError` for invalid options, which come from a client unchecked. */
  addUpstream(pool: string, options: UpstreamOptions): Promise<string>;
  /** Rejects with `unknown_upstream`. */
  removeUpstream(pool: string, id: string): Promise<void>;
  /** The explanation of a group has `workers`. Rejects with an `OptionsError` for an invalid description of a request. */
  explain(request: ExplainRequest): Promise<Explanation>;
  /** The options in force as plain JSON, without secrets; see `proxy.describeOptions`. */
  describe(): Readonly<Record<string, unknown>>;
  /** The last failed requests, the newest first, at most 100. Those of a group have `worker`. */
  failures(): Promise<readonly FailedRequest[]>;
  on<Name extends keyof AdminEvents>(name: Name, listener: (event: AdminEvents[Name]) => void): void;
  off<Name extends keyof AdminEvents>(name: Name, listener: (event: AdminEvents[Name]) => void): void;
  /** The workers of a group, in the order of their numbers. Absent for one process. */
  readonly workers?: () => Promise<readonly WorkerSnapshot[]>;
}
