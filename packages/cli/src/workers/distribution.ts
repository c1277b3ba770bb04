import type { Clock, Timer } from "evenkeel";

/** The connections that a worker may have more than the one with the fewest, which is about to confirm some. */
const maxLead = 2;

/** Milliseconds without progress after which a worker is not waited for. */
const patienceMs = 50;

export interface DistributionOptions {
  readonly clock: Clock;
  /** The connections of a worker that it need not have confirmed. */
  readonly window: number;
  readonly maxWaiting: number;
}

/** What a distribution does with connections. */
export interface DistributionPort<Connection> {
  /** Hands a connection over. The worker confirms it with the id. */
  readonly send: (worker: string, id: number, connection: Connection) => void;
  /** A worker has the connection: the copy of this process can be closed. */
  readonly release: (connection: Connection) => void;
  /** Too many connections wait. */
  readonly drop: (connection: Connection) => void;
}

interface Recipient {
  readonly id: string;
  /** Open connections, as it has last reported. */
  open: number;
  /** Handed over and not confirmed, in the order in which they were sent. */
  readonly unconfirmed: Set<number>;
  /** When it was last given a connection. */
  sentAt: number;
  /** It has lost a connection, for lack of descriptors for example: it gets none until its next sign of life. */
  resting: boolean;
}

/**
 * Distributes accepted connections over workers: each to the one with the fewest.
 *
 * A worker has at most `window` connections that it has not confirmed. The others wait here, so that none is lost with a worker
 * that stalls or ends: another one gets what it has not confirmed. While there is no worker, all of them wait. In a burst they
 * wait for the worker with the fewest as long as it makes progress: otherwise the faster one of two would get most of them.
 */
export class Distribution<Connection> {
  readonly #port: DistributionPort<Connection>;
  readonly #clock: Clock;
  readonly #window: number;
  #maxWaiting: number;
  /** In the order of their last connection, so that equals take turns. */
  readonly #recipients = new Map<string, Recipient>();
  /** Connections on their way to a worker, by id. */
  readonly #sent = new Map<number, Connection>();
  /** In order of arrival; those before `#first` are gone. */
  #queue: Connection[] = [];
  #first = 0;
  #lastId = 0;
  #timer: Timer;

  constructor(port: DistributionPort<Connection>, { clock, window, maxWaiting }: DistributionOptions) {
    this.#port = port;
    this.#clock = clock;
    this.#window = window;
    this.#maxWaiting = maxWaiting;
  }

  set maxWaiting(max: number) {
    this.#maxWaiting = max;
  }

  /** The connections that no worker has confirmed. */
  get unconfirmed(): number {
    return this.#waiting + this.#sent.size;
  }

  /** The workers that have not confirmed all that was sent to them. */
  get unconfirming(): readonly string[] {
    return [...this.#recipients.values()].filter(({ unconfirmed }) => unconfirmed.size > 0).map(({ id }) => id);
  }

  /** The id of the last connection that was sent to any worker. */
  get lastId(): number {
    return this.#lastId;
  }

  add(connection: Connection): void {
    if (this.#waiting >= this.#maxWaiting) return this.#port.drop(connection);
    this.#queue.push(connection);
    this.#distribute();
  }

  /** A worker is ready for connections. */
  join(id: string): void {
    this.#recipients.set(id, { id, open: 0, unconfirmed: new Set(), sentAt: 0, resting: false });
    this.#distribute();
  }

  /** A worker has ended. What it has not confirmed goes to others, first. */
  leave(id: string): void {
    const recipient = this.#recipients.get(id);
    this.#recipients.delete(id);
    if (recipient !== undefined) this.#takeBack(recipient, Infinity);
    this.#distribute();
  }

  /** A worker has a connection, and now this many. */
  confirmed(worker: string, id: number, open: number): void {
    const recipient = this.#recipients.get(worker);
    const connection = this.#sent.get(id);
    if (recipient === undefined || connection === undefined || !recipient.unconfirmed.delete(id)) return;
    this.#sent.delete(id);
    recipient.open = open;
    this.#port.release(connection);
    this.#distribute();
  }

  /** A worker reports how many connections it has. */
  reported(worker: string, open: number): void {
    const recipient = this.#recipients.get(worker);
    if (recipient === undefined) return;
    recipient.open = open;
    this.#distribute();
  }

  /**
   * A worker has read everything that was sent to it up to this id. What it has not confirmed until now is lost on the way and
   * goes to others. The system drops the socket of a message when the receiver has no descriptor for it.
   */
  passed(worker: string, lastId: number): void {
    const recipient = this.#recipients.get(worker);
    if (recipient === undefined) return;
    recipient.resting = this.#takeBack(recipient, lastId);
    this.#distribute();
  }

  /** Drops everything that waits. */
  close(): void {
    this.#clock.clearTimeout(this.#timer);
    this.#recipients.clear();
    for (const connection of this.#sent.values()) this.#port.drop(connection);
    for (const connection of this.#queue.slice(this.#first)) this.#port.drop(connection);
    this.#sent.clear();
    this.#queue = [];
    this.#first = 0;
  }

  get #waiting(): number {
    return this.#queue.length - this.#first;
  }

  #distribute(): void {
    while (this.#waiting > 0) {
      const recipient = this.#leastBusy();
      if (recipient === undefined) return;
      const connection = this.#queue[this.#first++] as Connection;
      if (this.#first >= 1_024 || this.#waiting === 0) {
        this.#queue.splice(0, this.#first);
        this.#first = 0;
      }
      const id = ++this.#lastId;
      this.#sent.set(id, connection);
      recipient.unconfirmed.add(id);
      recipient.sentAt = this.#clock.now();
      this.#recipients.delete(recipient.id);
      this.#recipients.set(recipient.id, recipient);
      this.#port.send(recipient.id, id, connection);
    }
  }

  /** The worker with the fewest connections. Undefined if none has room, or the one with the fewest will have some soon. */
  #leastBusy(): Recipient | undefined {
    let best: Recipient | undefined;
    let least: Recipient | undefined;
    for (const recipient of this.#recipients.values()) {
      if (recipient.resting) continue;
      if (least === undefined || connectionsOf(recipient) < connectionsOf(least)) least = recipient;
      if (recipient.unconfirmed.size >= this.#window) continue;
      if (best === undefined || connectionsOf(recipient) < connectionsOf(best)) best = recipient;
    }
    if (best === undefined || least === undefined || connectionsOf(best) <= connectionsOf(least) + maxLead) return best;
    const waited = this.#clock.now() - least.sentAt;
    if (waited >= patienceMs) return best;
    this.#clock.clearTimeout(this.#timer);
    this.#timer = this.#clock.setTimeout(() => this.#distribute(), patienceMs - waited);
    return undefined;
  }

  /** Puts the unconfirmed connections up to an id in front of those that wait. Returns whether there were any. */
  #takeBack({ unconfirmed }: Recipient, lastId: number): boolean {
    const lost: Connection[] = [];
    for (const id of [...unconfirmed]) {
      if (id > lastId) continue;
      unconfirmed.delete(id);
      lost.push(this.#sent.get(id) as Connection);
      this.#sent.delete(id);
    }
    if (lost.length === 0) return false;
    this.#queue = [...lost, ...this.#queue.slice(this.#first)];
    this.#first = 0;
    return true;
  }
}

function connectionsOf({ open, unconfirmed }: Recipient): number {
  return open + unconfirmed.size;
}
