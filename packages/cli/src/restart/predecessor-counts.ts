import type { ListenerSnapshot, WorkerEnd, WorkerSnapshot } from "@evenkeel/admin";
import { GroupSnapshots, type ProxySnapshot } from "evenkeel";
import type { Predecessor } from "./predecessor.ts";
import type { ProcessCounts } from "./protocol.ts";

/** Adds the counts of the process that this one replaces to its own, so that no metric decreases with a restart in place. */
export class PredecessorCounts {
  readonly #snapshots = new GroupSnapshots();
  #last: ProcessCounts | undefined;
  #ended = false;
  /** The snapshots of another version cannot be merged. */
  #foreign = false;

  constructor(predecessor: Predecessor) {
    predecessor.onCounts((counts) => this.#report(counts));
    void predecessor.ended.then(() => {
      this.#ended = true;
      this.#snapshots.end("predecessor");
    });
  }

  snapshot(own: ProxySnapshot): ProxySnapshot {
    return this.#attempt(() => this.#snapshots.merge(own)) ?? own;
  }

  listener(own: ListenerSnapshot): ListenerSnapshot {
    const other = this.#last?.listener;
    if (other === undefined) return own;
    const { connections, handshakeFailures } = own;
    return {
      ...own,
      connections: {
        ...connections,
        open: connections.open + (this.#ended ? 0 : number(other.connections?.open)),
        refused: connections.refused + number(other.connections?.refused),
        idleClosed: connections.idleClosed + number(other.connections?.idleClosed),
      },
      handshakeFailures: {
        plainHttp: handshakeFailures.plainHttp + number(other.handshakeFailures?.plainHttp),
        other: handshakeFailures.other + number(other.handshakeFailures?.other),
      },
      proxyHeaderFailures: own.proxyHeaderFailures + number(other.proxyHeaderFailures),
    };
  }

  /** A worker continues the counts of the one with its number. */
  workers(own: readonly WorkerSnapshot[]): readonly WorkerSnapshot[] {
    const before = new Map(this.#last?.restarts?.map(({ worker, restarts }) => [worker, restarts]));
    return own.map((worker) => {
      const restarts: Partial<Record<WorkerEnd, number>> = { ...worker.restarts };
      for (const [end, count] of Object.entries(before.get(worker.worker) ?? {}) as [WorkerEnd, number][]) {
        restarts[end] = (restarts[end] ?? 0) + count;
      }
      return { ...worker, restarts };
    });
  }

  #report(counts: ProcessCounts): void {
    this.#last = counts;
    this.#attempt(() => this.#snapshots.report("predecessor", counts.snapshot, "predecessor"));
  }

  #attempt<T>(merge: () => T): T | undefined {
    if (this.#foreign) return undefined;
    try {
      return merge();
    } catch {
      this.#foreign = true;
      return undefined;
    }
  }
}

/** Another version of the software may not have a field. */
function number(value: number | undefined): number {
  return typeof value === "number" ? value : 0;
}
