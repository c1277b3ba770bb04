import type { ResolvedUpstream } from "../config/resolved.ts";
import { ProxyError } from "../errors.ts";
import { DepartedMembers } from "./departed-members.ts";
import type { Weighting } from "./effective-weight.ts";
import { OpenTunnels } from "./open-tunnels.ts";
import type { PoolContext } from "./pool-context.ts";
import { destroyTransport, retireTransport } from "./transports.ts";
import { isSameServer, Member } from "./upstream.ts";

/** The ids of those who joined and of those who left. */
export interface MemberChanges {
  readonly added: string[];
  readonly removed: string[];
}

/** Who belongs to a pool, and who has left it and is still finishing what it began. */
export class Members {
  readonly #context: PoolContext;
  readonly #weighting: Weighting;
  readonly tunnels: OpenTunnels;
  readonly #leaving = new Set<Member>();
  readonly #departed: DepartedMembers;
  readonly #freeSlots: number[] = [];
  #nextSlot = 0;
  #list: readonly Member[] = Object.freeze([]);

  constructor(context: PoolContext, weighting: Weighting) {
    this.#context = context;
    this.#weighting = weighting;
    this.tunnels = new OpenTunnels(context);
    this.#departed = new DepartedMembers(context.runtime.clock);
  }

  /** In order. A new frozen list after each change. */
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

  /** Takes one in; into a pool that is at work gently, when slow start is on. */
  join(options: ResolvedUpstream): Member {
    const member = this.#create(options, false);
    member.newcomer = this.#list.some(({ served }) => served);
    this.#list = Object.freeze([...this.#list, member]);
    if (!member.held) this.letIn(member);
    this.#context.changed();
    this.#tell(member, "added");
    return member;
  }

  leave(member: Member): void {
    this.#list = Object.freeze(this.#list.filter((other) => other !== member));
    this.#dismiss(member);
    this.#context.changed();
    this.#tell(member, "removed");
    this.tunnels.removed(member);
    this.releaseIfDrained(member);
  }

  /**
   * Of the members of one origin, listed or found, keeps those who stay the same server, and exchanges the others in one
   * go: nobody who waits sees a pool in between. Those of the origin are in the order given afterwards, the listed ones
   * first. An id that was found and gets listed goes over to the listed ones.
   */
  replace(upstreams: readonly ResolvedUpstream[], discovered: boolean): MemberChanges {
    const wanted = new Map(upstreams.map((upstream) => [upstream.id, upstream]));
    const isConcerned = (member: Member) => member.discovered === discovered || wanted.has(member.id);
    const concerned = this.#list.filter(isConcerned);
    const stay = new Map<string, Member>();
    for (const member of concerned) {
      if (isSameServer(member, wanted.get(member.id))) stay.set(member.id, member);
    }
    const removed = concerned.filter(({ id }) => !stay.has(id));
    const others = this.#list.filter((member) => !isConcerned(member));
    const atWork = [...others, ...stay.values()].some(({ served }) => served);
    for (const member of removed) this.#dismiss(member);

    const added: Member[] = [];
    const members = upstreams.map((upstream) => {
      const member = stay.get(upstream.id) ?? this.#recall(upstream, discovered) ?? this.#create(upstream, discovered);
      if (!stay.has(upstream.id)) added.push(member);
      return member;
    });
    this.#list = Object.freeze(discovered ? [...others, ...members] : [...members, ...others]);
    for (const [index, upstream] of upstreams.entries()) this.#update(members[index] as Member, upstream, discovered);
    for (const member of added) {
      member.newcomer = atWork;
      if (!member.held) this.letIn(member);
    }
    this.#context.changed();
    for (const member of removed) {
      this.#tell(member, "removed");
      this.tunnels.removed(member);
      this.releaseIfDrained(member);
    }
    for (const member of added) this.#tell(member, "added");
    return { added: added.map(({ id }) => id), removed: removed.map(({ id }) => id) };
  }

  /** Slow start, unless there is nobody else to take the traffic meanwhile. */
  warm(member: Member): void {
    if (this.#list.some((other) => other !== member && isWarm(other))) this.#weighting.warm(member);
  }

  /** The first that a member gets of the traffic. When it has joined a pool at work, that is little at first. */
  letIn(member: Member): void {
    if (member.newcomer) this.warm(member);
    member.newcomer = false;
  }

  /** Whether anybody has a full share of the traffic. */
  get someWarm(): boolean {
    return this.#list.some(isWarm);
  }

  /** Forgets a member that has left and has nothing to finish. */
  releaseIfDrained(member: Member): void {
    if (!member.removed || !member.idle || !this.#leaving.delete(member)) return;
    this.#freeSlots.push(member.slot);
    this.tunnels.forget(member);
    retireTransport(member);
    this.#tell(member, "drained");
  }

  /** Ends every connection, also of those who have left. */
  destroyTransports(): void {
    this.tunnels.close();
    for (const member of this.#all()) destroyTransport(member);
  }

  /** Over those who have left, too. */
  sum(of: (member: Member) => number): number {
    let sum = 0;
    for (const member of this.#all()) sum += of(member);
    return sum;
  }

  #create(options: ResolvedUpstream, discovered: boolean): Member {
    const member = new Member(options, this.#freeSlots.pop() ?? this.#nextSlot++);
    member.discovered = discovered;
    member.held = this.#context.options.healthCheck?.initialState === "checking";
    return member;
  }

  /** Takes a member back that DNS had dropped. What nothing would end any more does not come back with it. */
  #recall(upstream: ResolvedUpstream, discovered: boolean): Member | undefined {
    const member = discovered ? this.#departed.recall(upstream) : undefined;
    if (member === undefined) return undefined;
    // It may still be finishing what it had begun, in its old slot.
    if (!this.#leaving.delete(member)) member.slot = this.#freeSlots.pop() ?? this.#nextSlot++;
    const { healthCheck, outlierDetection } = this.#context.options;
    member.rejoin({ keepsVerdict: healthCheck !== undefined, keepsEjection: outlierDetection !== undefined });
    member.held = healthCheck?.initialState === "checking" && member.health === "unknown";
    return member;
  }

  #dismiss(member: Member): void {
    member.removed = true;
    if (member.discovered) this.#departed.remember(member);
    this.#leaving.add(member);
    this.#weighting.forget(member);
  }

  #update(member: Member, upstream: ResolvedUpstream, discovered: boolean): void {
    member.discovered = discovered;
    member.tier = upstream.tier;
    member.maxInFlight = upstream.maxInFlight;
    if (member.configuredWeight === upstream.weight) return;
    member.configuredWeight = upstream.weight;
    this.#weighting.setWeight(member, upstream.weight, discovered ? "discovery" : "config");
  }

  #tell(member: Member, change: "added" | "removed" | "drained"): void {
    this.#context.emit("member", { pool: this.#context.name, upstream: member.id, change });
  }

  *#all(): Iterable<Member> {
    yield* this.#list;
    yield* this.#leaving;
  }
}

/** One that has no room has its share all the same. */
function isWarm({ sharing, slowStart }: Member): boolean {
  return sharing && slowStart === 1;
}
