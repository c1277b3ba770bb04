import type { PoolOptions, UpstreamOptions } from "../config/options.ts";
import { resolveUpstream } from "../config/resolve.ts";
import type { ResolvedPool, ResolvedUpstream } from "../config/resolved.ts";
import { ProxyError } from "../errors.ts";
import type { Health, PoolEvents, UpstreamState } from "../events.ts";
import { SafeEmitter } from "../runtime/emitter.ts";
import { type Runtime, resolveRuntime } from "../runtime/runtime.ts";
import type { PoolSnapshot } from "../snapshot.ts";
import type { Transport } from "../wire/transport.ts";
import { Attempt } from "./attempt.ts";
import { type Availability, computeAvailability, mayFreeUp, untried } from "./availability.ts";
import { CheckedOptions, toResolved } from "./checked-options.ts";
import { Members } from "./members.ts";
import { checkNewcomer, checkState, checkWeight } from "./operator-input.ts";
import { RetryBudget } from "./retry-budget.ts";
import { Traffic } from "./traffic.ts";
import { connectsAlike, destroyTransport, retireTransport, transportOf } from "./transports.ts";
import { isUpstreamFailure, type Member, type Outcome, type Upstream } from "./upstream.ts";
import { WaitQueue } from "./wait-queue.ts";

interface PoolSignals extends PoolEvents {
  /** An attempt failed on account of its upstream: the next probe should come at once. */
  failure: [Upstream];
}

/**
 * A named group of upstreams that serve the same thing, and the owner of everything about them that changes:
 * membership, weights, states, verdicts, requests in flight, counters and connections.
 *
 * What may be picked is published as frozen lists that are replaced whole. Works alone, without a proxy.
 */
export class Pool extends SafeEmitter<PoolSignals> {
  readonly name: string;
  readonly queue: WaitQueue;
  readonly retryBudget: RetryBudget;
  readonly traffic: Traffic = new Traffic();
  readonly #runtime: Runtime;
  #options: ResolvedPool;
  readonly #members = new Members();
  #availability: Availability | undefined;
  #closed = false;

  /** Makes a pool of options that have been checked already. */
  static resolved(name: string, options: ResolvedPool, runtime: Runtime): Pool {
    return new Pool(name, new CheckedOptions(options), runtime);
  }

  /** Throws an `OptionsError` that names every mistake. */
  constructor(name: string, options: PoolOptions | CheckedOptions = {}, runtime?: Partial<Runtime>) {
    super();
    this.name = name;
    this.#runtime = resolveRuntime(runtime);
    this.#options = toResolved(options);
    this.queue = new WaitQueue(this.#options.queue, this.#runtime.clock);
    this.retryBudget = new RetryBudget(this.#options.retry, this.#runtime.clock);
    for (const upstream of this.#options.upstreams) this.#join(upstream);
  }

  /** The options in force, checked and complete. */
  get options(): ResolvedPool {
    return this.#options;
  }

  get upstreams(): readonly Upstream[] {
    return this.#members.list;
  }

  /** Those that may be picked now. A new frozen list after each change. */
  get available(): readonly Upstream[] {
    return this.#current().available;
  }

  /** What a policy chooses from; see availability.ts. */
  get candidates(): readonly Upstream[] {
    return this.#current().candidates;
  }

  /** The candidates that were not tried yet; when they have run out, whatever else is available, backups included. */
  candidatesExcept(tried: readonly Upstream[]): readonly Upstream[] {
    return untried(this.#current(), tried);
  }

  get panic(): boolean {
    return this.#current().panic;
  }
  /** Whether somebody who was not tried yet is only full: a place in the queue will do. */
  mayFreeUp(tried: readonly Upstream[]): boolean {
    return mayFreeUp(this.#members.list, tried);
  }

  get inFlight(): number {
    return this.#members.sum((member) => member.inFlight);
  }

  get tunnels(): number {
    return this.#members.sum((member) => member.tunnels);
  }

  get(id: string): Upstream | undefined {
    return this.#members.find(id);
  }

  /** Takes in a new upstream. Throws an `OptionsError` for bad options or an id that is taken. */
  add(options: string | UpstreamOptions): Upstream {
    const upstream = resolveUpstream(options);
    checkNewcomer(upstream.id, this.#members.list);
    return this.#join(upstream);
  }

  /** Lets an upstream go: nothing new reaches it, what it is doing is finished. Throws `unknown_upstream`. */
  remove(id: string): void {
    this.#leave(this.#member(id));
  }

  /** Changes a weight from the next pick on. Throws an `OptionsError` outside 0 to 256, `unknown_upstream` otherwise. */
  setWeight(id: string, weight: number): void {
    const member = this.#member(id);
    checkWeight(weight);
    this.#changeWeight(member, weight, "operator");
  }

  /**
   * `draining` and `disabled` take no new requests; both finish what they have begun. Throws `unknown_upstream`, or
   * an `OptionsError` for any other word.
   */
  setState(id: string, state: UpstreamState): void {
    const member = this.#member(id);
    checkState(state);
    if (member.state === state) return;
    const from = member.state;
    member.state = state;
    this.#changed();
    this.emit("state", { pool: this.name, upstream: id, from, to: state });
  }

  /** Records a verdict of active checks. Nothing happens when it stays the same. */
  setHealth(upstream: Upstream, to: Health, reason: string): void {
    const member = upstream as Member;
    if (to !== "unknown") this.hold(member, false);
    if (member.removed || member.health === to) return;
    const from = member.health;
    member.health = to;
    this.#changed();
    this.emit("health", { pool: this.name, upstream: member.id, from, to, reason });
  }

  /** Keeps an upstream from traffic, panic included, until its first verdict, or takes that back. */
  hold(upstream: Upstream, held: boolean): void {
    (upstream as Member).held = held;
    this.#availability = undefined;
  }

  countProbe(upstream: Upstream, success: boolean): void {
    (upstream as Member).countProbe(success);
  }

  /** Takes every verdict back, when nobody checks any more. */
  forgetHealth(): void {
    for (const member of this.#members.list) this.setHealth(member, "unknown", "health checks are off");
  }

  /** Begins an attempt on an upstream that was just picked. The caller settles it. */
  begin(upstream: Upstream): Attempt {
    const member = upstream as Member;
    member.inFlight++;
    if (member.full) this.#availability = undefined;
    return new Attempt(member, this.#runtime.clock.now(), this.#settled);
  }

  openTunnel(upstream: Upstream): () => void {
    const member = upstream as Member;
    member.tunnels++;
    let open = true;
    return () => {
      if (!open) return;
      open = false;
      member.tunnels--;
      this.#releaseIfDrained(member);
    };
  }

  /** The connections to an upstream, opened when first asked for and kept as long as it stays. */
  transport(upstream: Upstream): Transport {
    return transportOf(upstream as Member, this.#options, this.#runtime);
  }

  /**
   * Takes on new options. Upstreams whose id and URL stay keep everything: health, counters, sockets, tunnels, and the
   * weight and state an operator gave them unless their configured weight changes. The others join or leave.
   */
  reconfigure(options: ResolvedPool): { added: string[]; removed: string[] } {
    const before = this.#options;
    this.#options = options;
    this.queue.options = options.queue;
    this.retryBudget.options = options.retry;
    const stays = (member: Member) =>
      options.upstreams.find(({ id, url }) => id === member.id && url === member.url) !== undefined;
    const removed = this.#members.list.filter((member) => !stays(member));
    for (const member of removed) this.#leave(member);
    if (!connectsAlike(before, options)) this.#members.list.forEach(retireTransport);
    const added = options.upstreams.filter((upstream) => !this.#update(upstream));
    for (const upstream of added) this.#join(upstream);
    this.#members.sortBy(options.upstreams.map(({ id }) => id));
    this.#changed();
    return { added: added.map(({ id }) => id), removed: removed.map(({ id }) => id) };
  }

  /** Ends every connection. Attempts in flight fail; later ones get connections that are not kept. */
  close(): void {
    this.#closed = true;
    for (const member of this.#members.all()) destroyTransport(member);
  }

  snapshot(policy: string = this.#options.balance): PoolSnapshot {
    return Object.freeze({
      name: this.name,
      policy,
      available: this.available.filter(({ weight }) => weight > 0).length,
      panic: this.panic,
      inFlight: this.inFlight,
      tunnels: this.tunnels,
      queueDepth: this.queue.depth,
      retryBudgetExhausted: this.retryBudget.exhausted,
      ...this.traffic.snapshot(),
      upstreams: Object.freeze(this.#members.list.map((member) => member.snapshot())),
    });
  }

  #current(): Availability {
    this.#availability ??= computeAvailability(this.#members.list, this.#options.panic === "use-all");
    return this.#availability;
  }

  #member(id: string): Member {
    const member = this.#members.find(id);
    if (member === undefined) throw new ProxyError("unknown_upstream", `pool "${this.name}" has no upstream "${id}"`);
    return member;
  }

  #join(upstream: ResolvedUpstream): Member {
    const member = this.#members.join(upstream);
    member.held = this.#options.healthCheck?.initialState === "checking";
    this.#changed();
    this.emit("member", { pool: this.name, upstream: member.id, change: "added" });
    return member;
  }

  #leave(member: Member): void {
    this.#members.leave(member);
    this.#changed();
    this.emit("member", { pool: this.name, upstream: member.id, change: "removed" });
    this.#releaseIfDrained(member);
  }

  #releaseIfDrained(member: Member): void {
    if (!this.#members.forgetIfDrained(member)) return;
    retireTransport(member);
    this.emit("member", { pool: this.name, upstream: member.id, change: "drained" });
  }

  /** False when there is no such member yet. */
  #update(upstream: ResolvedUpstream): boolean {
    const member = this.#members.find(upstream.id);
    if (member === undefined) return false;
    member.backup = upstream.backup;
    member.maxInFlight = upstream.maxInFlight;
    if (member.configuredWeight !== upstream.weight) {
      member.configuredWeight = upstream.weight;
      this.#changeWeight(member, upstream.weight, "config");
    }
    return true;
  }

  #changeWeight(member: Member, to: number, reason: "operator" | "config"): void {
    if (member.weight === to) return;
    const from = member.weight;
    member.weight = to;
    this.#changed();
    this.emit("weight", { pool: this.name, upstream: member.id, from, to, reason });
  }

  readonly #settled = (member: Member, outcome: Outcome): void => {
    const wasFull = member.full;
    member.inFlight--;
    member.recordOutcome(outcome, this.#runtime.clock.wallNow());
    if (wasFull) this.#changed();
    if (isUpstreamFailure(outcome)) this.emit("failure", member);
    if (this.#closed && member.inFlight === 0) retireTransport(member);
    this.#releaseIfDrained(member);
  };

  /** Forgets the lists, and lets those who wait have what has become free, or hear that nothing will. */
  #changed(): void {
    this.#availability = undefined;
    for (let waiting = this.queue.depth; waiting > 0; waiting--) {
      const { candidates, saturated } = this.#current();
      if ((candidates.length === 0 && saturated) || !this.queue.wakeFirst()) return;
    }
  }
}
