import type { ResolvedUpstream } from "../config/resolved.ts";
import { ProxyError } from "../errors.ts";
import type { UpstreamState } from "../events.ts";
import { DepartedMembers } from "./departed-members.ts";
import type { EffectiveWeights } from "./effective-weight.ts";
import { OpenTunnels } from "./open-tunnels.ts";
import type { PoolContext } from "./pool-context.ts";
import { destroyTransport, retireTransport } from "./transports.ts";
import { isSameServer, Member } from "./upstream.ts";

/** The ids of the members that have joined and left. */
export interface MemberChanges {
  readonly added: string[];
  readonly removed: string[];
}

/** The members of a pool, and former members with requests or tunnels in flight. */
export class Members {
  readonly #context: PoolContext;
  readonly #effectiveWeights: EffectiveWeights;
  readonly tunnels: OpenTunnels;
  readonly #leaving = new Set<Member>();
  readonly #departed: DepartedMembers;
  readonly #freeSlots: number[] = [];
  #nextSlot = 0;
  #list: readonly Member[] = Object.freeze([]);

  constructor(context: PoolContext, effectiveWeights: EffectiveWeights) {
    this.#context = context;
    this.#effectiveWeights = effectiveWeights;
    this.tunnels = new OpenTunnels(context);
    this.#departed = new DepartedMembers(context.runtime.clock);
  }

  /** In the order of the configuration. A new frozen list after each change. */
  get list(): readonly Member[] {
    return this.#list;
  }

  find(id: string): Member | undefined {
    return this.#list.find((member) => member.id === id);
  }

  /** Throws `unknown_upstream`. */
  get(id: string): Member {
    const member = this.find(id);
    if (member !== undefined) return member;
    throw new ProxyError("unknown_upstream", `pool "${this.#context.name}" has no upstream "${id}"`);
  }

  /** Adds a member, with slow start if the pool has served requests already. */
  join(options: ResolvedUpstream): Member {
    const member = this.#create(options, false);
    member.joinedLate = this.#list.some(({ served }) => served);
    this.#list = Object.freeze([...this.#list, member]);
    if (!member.held) this.beginTraffic(member);
    this.#context.changed();
    this.#emit(member, "added");
    return member;
  }

  leave(member: Member): void {
    this.#list = Object.freeze(this.#list.filter((other) => other !== member));
    this.#remove(member);
    this.#context.changed();
    this.#emit(member, "removed");
    this.tunnels.removed(member);
    this.releaseIfDrained(member);
  }

  /**
   * Replaces the members of one origin, listed or discovered, in one step. Members that are still the same server stay.
   * Listed members come first, each origin in the given order. A discovered member whose id is now listed becomes a listed
   * one.
   */
  replace(upstreams: readonly ResolvedUpstream[], discovered: boolean): MemberChanges {
    const wanted = new Map(upstreams.map((upstream) => [upstream.id, upstream]));
    const isAffected = (member: Member) => member.discovered === discovered || wanted.has(member.id);
    const affected = this.#list.filter(isAffected);
    const stay = new Map<string, Member>();
    for (const member of affected) {
      if (isSameServer(member, wanted.get(member.id))) stay.set(member.id, member);
    }
    const removed = affected.filter(({ id }) => !stay.has(id));
    const others = this.#list.filter((member) => !isAffected(member));
    const serving = [...others, ...stay.values()].some(({ served }) => served);
    for (const member of removed) this.#remove(member);

    const added: Member[] = [];
    const members = upstreams.map((upstream) => {
      const member = stay.get(upstream.id) ?? this.#recall(upstream, discovered) ?? this.#create(upstream, discovered);
      if (!stay.has(upstream.id)) added.push(member);
      return member;
    });
    this.#list = Object.freeze(discovered ? [...others, ...members] : [...members, ...others]);
    for (const [index, upstream] of upstreams.entries()) this.#update(members[index] as Member, upstream, discovered);
    for (const member of this.#list) member.setLatencyBounds(this.#context.options.latencyBounds);
    for (const member of added) {
      member.joinedLate = serving;
      if (!member.held) this.beginTraffic(member);
    }
    this.#context.changed();
    for (const member of removed) {
      this.#emit(member, "removed");
      this.tunnels.removed(member);
      this.releaseIfDrained(member);
    }
    for (const member of added) this.#emit(member, "added");
    return { added: added.map(({ id }) => id), removed: removed.map(({ id }) => id) };
  }

  /** Replaces the discovered members. Listed members stay; a discovered one with the id of a listed one is ignored. */
  discover(upstreams: readonly ResolvedUpstream[]): MemberChanges {
    const listed = new Set(this.#list.filter(({ discovered }) => !discovered).map(({ id }) => id));
    return this.replace(
      upstreams.filter(({ id }) => !listed.has(id)),
      true,
    );
  }

  /** After `timeoutMs` its tunnels are closed. */
  setState(member: Member, to: UpstreamState, timeoutMs: number | undefined): void {
    const from = member.state;
    member.state = to;
    this.tunnels.stateSet(member, timeoutMs);
    if (from === to) return;
    member.transitions.state = this.#context.runtime.clock.wallNow();
    this.#context.changed();
    this.#context.emit("state", { pool: this.#context.name, upstream: member.id, from, to });
  }

  /** Begins a slow start, unless no other member can take the traffic meanwhile. */
  startSlowStart(member: Member): void {
    if (this.#list.some((other) => other !== member && isWarm(other))) this.#effectiveWeights.startSlowStart(member);
  }

  /** A member gets its first traffic, with slow start if the pool was serving when it joined. */
  beginTraffic(member: Member): void {
    if (member.joinedLate) this.startSlowStart(member);
    member.joinedLate = false;
  }

  /** Whether a member has its full share of the traffic. */
  get hasWarmMember(): boolean {
    return this.#list.some(isWarm);
  }

  /** Releases a former member once it has nothing in flight. */
  releaseIfDrained(member: Member): void {
    if (!member.removed || !member.idle || !this.#leaving.delete(member)) return;
    this.#freeSlots.push(member.slot);
    this.tunnels.forget(member);
    retireTransport(member);
    this.#emit(member, "drained");
  }

  /** Ends all connections, also those of former members. */
  destroyTransports(): void {
    this.tunnels.close();
    for (const member of this.#all()) destroyTransport(member);
  }

  /** Sums over current and former members. */
  sum(of: (member: Member) => number): number {
    let sum = 0;
    for (const member of this.#all()) sum += of(member);
    return sum;
  }

  #create(options: ResolvedUpstream, discovered: boolean): Member {
    const { runtime, options: pool } = this.#context;
    const slot = this.#freeSlots.pop() ?? this.#nextSlot++;
    const member = new Member(options, slot, runtime.clock.wallNow(), pool.latencyBounds);
    member.discovered = discovered;
    this.#context.limits.limit(member);
    member.held = pool.healthCheck?.initialState === "checking";
    return member;
  }

  /** Restores a member that DNS has dropped. Its verdict and ejection are kept only if a watcher can still end them. */
  #recall(upstream: ResolvedUpstream, discovered: boolean): Member | undefined {
    const member = discovered ? this.#departed.recall(upstream) : undefined;
    if (member === undefined) return undefined;
    // With requests in flight it still has its old slot.
    if (!this.#leaving.delete(member)) member.slot = this.#freeSlots.pop() ?? this.#nextSlot++;
    const { healthCheck, outlierDetection } = this.#context.options;
    const keeps = { keepsVerdict: healthCheck !== undefined, keepsEjection: outlierDetection !== undefined };
    member.rejoin(keeps, this.#context.runtime.clock.wallNow());
    member.held = healthCheck?.initialState === "checking" && member.health === "unknown";
    return member;
  }

  #remove(member: Member): void {
    member.removed = true;
    if (member.discovered) this.#departed.remember(member);
    this.#leaving.add(member);
    this.#effectiveWeights.forget(member);
  }

  #update(member: Member, upstream: ResolvedUpstream, discovered: boolean): void {
    member.discovered = discovered;
    member.tier = upstream.tier;
    member.maxInFlight = upstream.maxInFlight;
    this.#context.limits.limit(member);
    if (member.configuredWeight === upstream.weight) return;
    member.configuredWeight = upstream.weight;
    this.#effectiveWeights.setWeight(member, upstream.weight, discovered ? "discovery" : "config");
  }

  #emit(member: Member, change: "added" | "removed" | "drained"): void {
    this.#context.emit("member", { pool: this.#context.name, upstream: member.id, change });
  }

  *#all(): Iterable<Member> {
    yield* this.#list;
    yield* this.#leaving;
  }
}

/** A full member has its share as well. */
function isWarm({ inRotation, slowStart }: Member): boolean {
  return inRotation && slowStart === 1;
}
