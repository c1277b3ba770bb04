import type { ProxySnapshot } from "../snapshot.ts";
import { countsOfWorker, mergeSnapshots } from "./merge-snapshots.ts";
import { addTo, type Counts, continues, countsOf } from "./snapshot-counts.ts";

/**
 * What a participant is. `worker`: it serves beside the others. `predecessor`: a whole group that this one replaces, with its
 * merged snapshot; it drains.
 */
export type ParticipantRole = "worker" | "predecessor";

/** Beyond this number of pools, upstreams and series in one map, the oldest that no process counts any more are forgotten. */
const maxGone = 10_000;

/** A process, its last counts, and those that it had before a reload removed what they count. */
interface Participant {
  readonly snapshot: ProxySnapshot;
  readonly role: ParticipantRole;
  readonly counts: ReadonlyMap<string, Counts>;
  readonly gone: Map<string, Counts>;
}

/**
 * The snapshots of a group over time. No count of the merged snapshot decreases, whatever becomes of the processes.
 *
 * The counts of a process that ends stay, as does what a process no longer counts because a reload has removed it. If it counts
 * the same again, it either continues (an upstream that is added again while it drains) or has begun anew.
 */
export class GroupSnapshots {
  readonly #participants = new Map<string, Participant>();
  readonly #retired = new Map<string, Counts>();
  #base: Participant | undefined;

  /** Sets the latest snapshot of a participant. An id stands for one process, and is not used again after `end`. */
  report(id: string, snapshot: ProxySnapshot, role: ParticipantRole = "worker"): void {
    this.#participants.set(id, this.#follow(this.#participants.get(id), snapshot, role));
  }

  /** The participant has ended. Its last counts stay. */
  end(id: string): void {
    const participant = this.#participants.get(id);
    if (participant === undefined) return;
    this.#participants.delete(id);
    addTo(this.#retired, participant.gone);
    addTo(this.#retired, participant.counts);
    this.#forgetOldest(this.#retired);
  }

  /** `base` is the snapshot of the process that has the configuration, which is no participant. */
  merge(base: ProxySnapshot): ProxySnapshot {
    this.#base = this.#follow(this.#base, base, "predecessor");
    const participants = [...this.#participants.values()];
    const of = (wanted: ParticipantRole) =>
      participants.filter(({ role }) => role === wanted).map(({ snapshot }) => snapshot);
    const gone = [this.#base, ...participants].map((participant) => participant.gone);
    return mergeSnapshots(base, of("worker"), { leaving: of("predecessor"), retired: [this.#retired, ...gone] });
  }

  #follow(before: Participant | undefined, snapshot: ProxySnapshot, role: ParticipantRole): Participant {
    const counts = role === "worker" ? countsOfWorker(snapshot) : countsOf(snapshot);
    const gone = new Map<string, Counts>();
    for (const [key, earlier] of [...(before?.gone ?? []), ...(before?.counts ?? [])]) {
      const later = counts.get(key);
      if (later === undefined) gone.set(key, earlier);
      else if (!continues(later, earlier)) addTo(this.#retired, [[key, earlier]]);
    }
    this.#forgetOldest(gone);
    return { snapshot, role, counts, gone };
  }

  #forgetOldest(counts: Map<string, Counts>): void {
    if (counts.size <= maxGone) return;
    const living = [...this.#participants.values(), this.#base];
    for (const key of counts.keys()) {
      if (counts.size <= maxGone) return;
      if (!living.some((participant) => participant?.counts.has(key))) counts.delete(key);
    }
  }
}
