import type { ProxySnapshot } from "../snapshot.ts";
import { mergeSnapshots } from "./merge-snapshots.ts";
import {
  type Counts,
  continues,
  countsOf,
  countsOfPool,
  countsOfUpstream,
  keep,
  keys,
  type SnapshotCounts,
} from "./snapshot-counts.ts";

/**
 * What a participant is. `worker`: it serves beside the others. `predecessor`: a whole group that this one replaces, with its
 * merged snapshot; it drains.
 */
export type ParticipantRole = "worker" | "predecessor";

/** The most pools and upstreams, or series, of one map. Beyond it the oldest that no process counts any more are forgotten. */
const maxGone = 10_000;

/** A process, and the counts of pools and upstreams that a reload has removed from it. */
interface Participant {
  readonly snapshot: ProxySnapshot;
  readonly role: ParticipantRole;
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
  readonly #retired: SnapshotCounts = { members: new Map(), series: new Map() };
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
    const { members, series } = countsOfParticipant(participant);
    keep(this.#retired.members, participant.gone);
    keep(this.#retired.members, members);
    keep(this.#retired.series, series);
    this.#forgetOldest(this.#retired.members, ({ members }) => members);
    this.#forgetOldest(this.#retired.series, ({ series }) => series);
  }

  /** `base` is the snapshot of the process that has the configuration, which is no participant. */
  merge(base: ProxySnapshot): ProxySnapshot {
    this.#base = this.#follow(this.#base, base, "predecessor");
    const participants = [...this.#participants.values()];
    const of = (wanted: ParticipantRole) =>
      participants.filter(({ role }) => role === wanted).map(({ snapshot }) => snapshot);
    const gone = [this.#base, ...participants].map((one) => ({ members: one.gone, series: new Map() }));
    return mergeSnapshots(base, of("worker"), { leaving: of("predecessor"), retired: [this.#retired, ...gone] });
  }

  /** The requests and reloads of a process are never reset: only pools and upstreams are followed. */
  #follow(before: Participant | undefined, snapshot: ProxySnapshot, role: ParticipantRole): Participant {
    if (before === undefined) return { snapshot, role, gone: new Map() };
    if (hasSameMembers(snapshot, before.snapshot)) return { snapshot, role, gone: before.gone };
    const { members } = countsOf(snapshot);
    const gone = new Map<string, Counts>();
    for (const [key, earlier] of [...before.gone, ...countsOf(before.snapshot).members]) {
      const later = members.get(key);
      if (later === undefined) gone.set(key, earlier);
      else if (!continues(later, earlier)) keep(this.#retired.members, [[key, earlier]]);
    }
    this.#forgetOldest(gone, ({ members }) => members);
    return { snapshot, role, gone };
  }

  #forgetOldest(counts: Map<string, Counts>, of: (counts: SnapshotCounts) => ReadonlyMap<string, Counts>): void {
    if (counts.size <= maxGone) return;
    const processes = [...this.#participants.values(), ...(this.#base === undefined ? [] : [this.#base])];
    const living = processes.map((participant) => of(countsOf(participant.snapshot)));
    for (const key of counts.keys()) {
      if (counts.size <= maxGone) return;
      if (!living.some((process) => process.has(key))) counts.delete(key);
    }
  }
}

function countsOfParticipant({ snapshot, role }: Participant): SnapshotCounts {
  const counts = countsOf(snapshot);
  // The workers of a group reload with it: its base counts the reloads.
  if (role === "worker") counts.members.delete(keys.reloads());
  return counts;
}

/** Whether `later` has the pools and upstreams of `earlier` in the same order, and continues all their counts. */
function hasSameMembers(later: ProxySnapshot, earlier: ProxySnapshot): boolean {
  return isSame(later.pools, earlier.pools, (pool, before) => {
    const { discovery } = before;
    return (
      pool.name === before.name &&
      continues(countsOfPool(pool), countsOfPool(before)) &&
      (discovery === null || (pool.discovery !== null && continues(pool.discovery.lookups, discovery.lookups))) &&
      isSame(pool.upstreams, before.upstreams, (upstream, known) => {
        return upstream.id === known.id && continues(countsOfUpstream(upstream), countsOfUpstream(known));
      })
    );
  });
}

function isSame<T>(later: readonly T[], earlier: readonly T[], matches: (later: T, earlier: T) => boolean): boolean {
  return later.length === earlier.length && later.every((one, index) => matches(one, earlier[index] as T));
}
