import { UpstreamSelector } from "../../src/attempts/upstream-selector.ts";
import { Balancer } from "../../src/balancer/balancer.ts";
import type { PoolOptions } from "../../src/config/options.ts";
import { resolvePool } from "../../src/config/resolve.ts";
import { LimitGrantor } from "../../src/group-limits/limit-grantor.ts";
import { LimitShares } from "../../src/group-limits/limit-shares.ts";
import type { Attempt } from "../../src/pool/attempt.ts";
import { Pool } from "../../src/pool/pool.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

/** What the network between participants and grantor does to a message. */
export interface Network {
  /** Milliseconds from and to. */
  delayMs: [number, number];
  /** Shares of the messages, 0 to 1. */
  loss: number;
  doubled: number;
}

/** A process that serves requests: its pool, and its shares. */
export class Participant {
  readonly id: string;
  readonly pool: Pool;
  readonly shares: LimitShares;
  readonly balancer: Balancer;
  readonly #group: Group;
  readonly attempts: Set<Attempt> = new Set();
  served = 0;
  refused = 0;
  timedOut = 0;
  alive = true;
  /** No message reaches it, and none of its own the grantor. */
  cutOff = false;

  constructor(id: string, group: Group, options: PoolOptions) {
    const { clock, random } = group;
    this.id = id;
    this.#group = group;
    this.pool = new Pool("api", options, { clock, random });
    this.balancer = new Balancer(this.pool, {}, { clock, random });
    this.shares = new LimitShares(clock, () => new Map([["api", this.pool]]));
    this.shares.begin(group.grantor.join(id), (report) => {
      if (!this.cutOff) group.carry(() => this.alive && group.grantor.report(id, report));
    });
  }

  /** One request, which an upstream serves for `serviceMs`. `onEnd` is called once it has ended in any way. */
  request(serviceMs: () => number, onEnd: (served: boolean) => void = () => {}): void {
    const { pool, balancer } = this;
    const selector = new UpstreamSelector(
      { to: { pool, balancer }, key: undefined, affinity: undefined },
      {
        onQueued: () => {},
        onSelected: (upstream) => {
          const attempt = pool.begin(upstream);
          this.attempts.add(attempt);
          this.#group.check();
          this.#group.clock.setTimeout(() => {
            if (!this.alive) return;
            this.attempts.delete(attempt);
            attempt.settle("success");
            this.served++;
            onEnd(true);
          }, serviceMs());
        },
        onNoUpstream: (code) => {
          if (code === "queue_timeout") this.timedOut++;
          else this.refused++;
          onEnd(false);
        },
      },
    );
    selector.next();
  }

  /** A client that sends one request after the other, until the group stops. After a failure it pauses. */
  client(serviceMs: () => number, pauseMs: () => number = () => 0): void {
    const { clock } = this.#group;
    const next = (served: boolean) => {
      if (!this.alive || this.#group.quiet) return;
      const pause = Math.max(pauseMs(), served ? 0 : 20);
      clock.setTimeout(() => this.alive && this.request(serviceMs, next), pause);
    };
    next(true);
  }

  reload(options: PoolOptions): void {
    this.pool.reconfigure(resolvePool(options));
    this.#group.check();
  }

  die(): void {
    this.alive = false;
    this.shares.stop();
    this.#group.members.delete(this);
    this.#group.grantor.leave(this.id);
  }

  inFlight(upstream: string): number {
    return this.pool.get(upstream)?.inFlight ?? 0;
  }
}

/** Participants and their grantor on virtual time, over a network that delays, loses and doubles messages. */
export class Group {
  readonly clock = new VirtualClock();
  readonly random: () => number;
  readonly grantor: LimitGrantor;
  readonly members = new Set<Participant>();
  readonly network: Network = { delayMs: [1, 2], loss: 0, doubled: 0 };
  /** Clients send no further requests. */
  quiet = false;
  messages = 0;
  onCheck: () => void = () => {};
  #joined = 0;

  constructor(slots: number, seed = 1) {
    this.random = seededRandom(seed);
    this.grantor = new LimitGrantor(slots, this.clock, (id, grant) => {
      const member = [...this.members].find((one) => one.id === id);
      if (member !== undefined && !member.cutOff) {
        this.carry(() => {
          if (!member.alive) return;
          member.shares.apply(grant);
          this.check();
        });
      }
    });
  }

  add(options: PoolOptions): Participant {
    const member = new Participant(`p${this.#joined++}`, this, options);
    this.members.add(member);
    this.check();
    return member;
  }

  check(): void {
    this.onCheck();
  }

  carry(deliver: () => void): void {
    this.messages++;
    const { delayMs, loss, doubled } = this.network;
    const [from, to] = delayMs;
    const copies = this.random() < loss ? 0 : this.random() < doubled ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      this.clock.setTimeout(deliver, from + this.random() * (to - from));
    }
  }

  total(of: (member: Participant) => number): number {
    let sum = 0;
    for (const member of this.members) sum += of(member);
    return sum;
  }

  pick(): Participant {
    const members = [...this.members];
    return members[Math.floor(this.random() * members.length)] as Participant;
  }
}
