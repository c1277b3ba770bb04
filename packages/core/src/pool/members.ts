import type { ResolvedUpstream } from "../config/resolved.ts";
import type { PoolContext } from "./pool-context.ts";
import { destroyTransport, retireTransport } from "./transports.ts";
import { Member } from "./upstream.ts";
import type { Weighting } from "./weighting.ts";

/** The ids of those who joined and of those who left. */
export interface MemberChanges {
  readonly added: string[];
  readonly removed: string[];
}

/** Who belongs to a pool, and who has left it and is still finishing what it began. */
export class Members {
  readonly #context: PoolContext;
  readonly #weighting: Weighting;
  readonly #leaving = new Set<Member>();
  readonly #freeSlots: number[] = [];
  #nextSlot = 0;
  #list: readonly Member[] = Object.freeze([]);

  constructor(context: PoolContext, weighting: Weighting) {
    this.#context = context;
    this.#weighting = weighting;
  }

  /** In order. A new frozen list after each change. */
  get list(): readonly Member[] {
    return this.#list;
  }

  find(id: string): Member | undefined {
    return this.#list.find((member) => member.id === id);
  }

  /** Takes one in; into a pool that is at work gently, when slow start is on. */
  join(options: ResolvedUpstream, discovered = false): Member {
    const member = new Member(options, this.#freeSlots.pop() ?? this.#nextSlot++);
    member.discovered = discovered;
    member.held = this.#context.options.healthCheck?.initialState === "checking";
    const atWork = this.#list.some(({ served }) => served);
    this.#list = Object.freeze([...this.#list, member]);
    if (atWork) this.warm(member);
    this.#context.changed();
    this.#tell(member, "added");
    return member;
  }

  leave(member: Member): void {
    member.removed = true;
    this.#list = Object.freeze(this.#list.filter((other) => other !== member));
    this.#leaving.add(member);
    this.#weighting.forget(member);
    this.#context.changed();
    this.#tell(member, "removed");
    this.releaseIfDrained(member);
  }

  /** Of the members of one origin, listed or discovered, keeps those whose id and URL stay, and exchanges the others. */
  replace(upstreams: readonly ResolvedUpstream[], discovered: boolean): MemberChanges {
    const wanted = new Map(upstreams.map((upstream) => [upstream.id, upstream]));
    const stays = (member: Member) =>
      member.discovered === discovered ? wanted.get(member.id)?.url === member.url : !wanted.has(member.id);
    const removed = this.#list.filter((member) => !stays(member));
    for (const member of removed) this.leave(member);
    const added = upstreams.filter((upstream) => !this.#update(upstream, discovered));
    for (const upstream of added) this.join(upstream, discovered);
    return { added: added.map(({ id }) => id), removed: removed.map(({ id }) => id) };
  }

  /** Slow start, unless there is nobody else to take the traffic meanwhile. */
  warm(member: Member): void {
    if (this.#list.some((other) => other !== member && other.available)) this.#weighting.warm(member);
  }

  /** Forgets a member that has left and has nothing to finish. */
  releaseIfDrained(member: Member): void {
    if (!member.removed || !member.idle || !this.#leaving.delete(member)) return;
    this.#freeSlots.push(member.slot);
    retireTransport(member);
    this.#tell(member, "drained");
  }

  /** Those that are not named come last, in the order they have. */
  sortBy(ids: readonly string[]): void {
    const place = new Map(ids.map((id, index) => [id, index]));
    const order = (member: Member) => place.get(member.id) ?? ids.length;
    this.#list = Object.freeze([...this.#list].sort((a, b) => order(a) - order(b)));
  }

  /** Ends every connection, also of those who have left. */
  destroyTransports(): void {
    for (const member of this.#all()) destroyTransport(member);
  }

  /** Over those who have left, too. */
  sum(of: (member: Member) => number): number {
    let sum = 0;
    for (const member of this.#all()) sum += of(member);
    return sum;
  }

  /** False when there is no such member yet. */
  #update(upstream: ResolvedUpstream, discovered: boolean): boolean {
    const member = this.find(upstream.id);
    if (member === undefined) return false;
    member.tier = upstream.tier;
    member.maxInFlight = upstream.maxInFlight;
    if (member.configuredWeight !== upstream.weight) {
      member.configuredWeight = upstream.weight;
      this.#weighting.setWeight(member, upstream.weight, discovered ? "discovery" : "config");
    }
    return true;
  }

  #tell(member: Member, change: "added" | "removed" | "drained"): void {
    this.#context.emit("member", { pool: this.#context.name, upstream: member.id, change });
  }

  *#all(): Iterable<Member> {
    yield* this.#list;
    yield* this.#leaving;
  }
}
