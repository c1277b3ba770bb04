import type { ListenerSnapshot } from "../options.ts";

/**
 * The listeners of a group over time: connections and failures of all its processes. No count decreases when a process ends.
 */
export class GroupListeners {
  readonly #latest = new Map<string, ListenerSnapshot>();
  #ended: ListenerSnapshot | undefined;

  /** Sets the latest snapshot of a process. An id stands for one process, and is not used again after `end`. */
  report(id: string, snapshot: ListenerSnapshot): void {
    this.#latest.set(id, snapshot);
  }

  /** The process has ended: its connections are closed, and its counts stay. */
  end(id: string): void {
    const last = this.#latest.get(id);
    if (last === undefined) return;
    this.#latest.delete(id);
    const counted = this.#ended === undefined ? last : add(last, this.#ended);
    this.#ended = { ...counted, connections: { ...counted.connections, open: 0 } };
  }

  /** `base` has the limit and the certificates of the group, and its own counts. */
  merge(base: ListenerSnapshot): ListenerSnapshot {
    const others = [...this.#latest.values(), ...(this.#ended === undefined ? [] : [this.#ended])];
    return others.reduce(add, base);
  }
}

/** Adds the counts and the open connections of `b` to those of `a`. */
function add(a: ListenerSnapshot, b: ListenerSnapshot): ListenerSnapshot {
  return {
    connections: {
      open: a.connections.open + b.connections.open,
      limit: a.connections.limit,
      refused: a.connections.refused + b.connections.refused,
      idleClosed: a.connections.idleClosed + b.connections.idleClosed,
    },
    handshakeFailures: {
      plainHttp: a.handshakeFailures.plainHttp + b.handshakeFailures.plainHttp,
      other: a.handshakeFailures.other + b.handshakeFailures.other,
    },
    proxyHeaderFailures: a.proxyHeaderFailures + b.proxyHeaderFailures,
    certificateExpiry: a.certificateExpiry,
  };
}
