/** Why a worker was replaced: it exited, was killed by a signal, stalled, or did not confirm a change in time. */
export type WorkerEnd = "exited" | "killed" | "stalled" | "unconfirmed";

/** Every end, so that each has a sample from the start. */
export const workerEnds: readonly WorkerEnd[] = Object.freeze(["exited", "killed", "stalled", "unconfirmed"]);

/** How late timers of a process run, in milliseconds, over its last 30 to 60 seconds. */
export interface EventLoopDelay {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/** What a process measures of itself. */
export interface ProcessSnapshot {
  readonly pid: number;
  /** The start of the process in milliseconds since 1970. 0 for a worker that has measured nothing yet. */
  readonly since: number;
  readonly eventLoopDelayMs: EventLoopDelay;
  readonly heapUsedBytes: number;
  readonly rssBytes: number;
}

/** One worker of a group. */
export interface WorkerSnapshot extends Omit<ProcessSnapshot, "pid"> {
  /** Its number, 1 to N. Its replacement has the same. */
  readonly worker: number;
  /** Null while there is no process: the worker has ended, and will be replaced. */
  readonly pid: number | null;
  /** Open client connections. */
  readonly connections: number;
  /** How often a worker with this number was replaced, by reason; a restart in place continues the counts. */
  readonly restarts: Readonly<Partial<Record<WorkerEnd, number>>>;
}
