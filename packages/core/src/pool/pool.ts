import { parseDuration } from "../config/duration.ts";
import type { Duration, PoolOptions, UpstreamOptions } from "../config/options.ts";
import { resolveUpstream } from "../config/resolve.ts";
import type { ResolvedPool, ResolvedUpstream } from "../config/resolved.ts";
import type { Health, UpstreamState } from "../events.ts";
import { SafeEmitter } from "../runtime/emitter.ts";
import { type Runtime, resolveRuntime } from "../runtime/runtime.ts";
import type { PoolSnapshot, UpstreamSnapshot } from "../snapshot.ts";
import { Connector } from "../transport/connector.ts";
import type { Transport } from "../transport/transport.ts";
import { Attempt } from "./attempt.ts";
import { AttemptAccounting, type AttemptObserver } from "./attempt-accounting.ts";
import { type Standing, untried } from "./availability/availability.ts";
import { Candidates } from "./availability/candidates.ts";
import { LookupRecord } from "./availability/discovery-status.ts";
import { Ejections } from "./availability/ejections.ts";
import { HealthVerdicts } from "./availability/health-verdicts.ts";
import { Outage } from "./availability/outage.ts";
import { WaitQueue } from "./availability/wait-queue.ts";
import { CheckedOptions, toResolved } from "./checked-options.ts";
import { Weighting } from "./effective-weight.ts";
import { type MemberChanges, Members } from "./members.ts";
import type { PoolContext, PoolSignals } from "./pool-context.ts";
import { poolSnapshot } from "./pool-snapshot.ts";
import { RetryBudget } from "./retry-budget.ts";
import { Traffic } from "./statistics/traffic.ts";
import { connectsAlike, retireTransport, transportOf } from "./transports.ts";
import type { Member, Upstream } from "./upstream.ts";
import { checkNewcomer, requireUpstreamChange } from "./validate-change.ts";

/**
 * A named group of upstreams that serve the same thing, and the owner of everything about them that changes:
 * membership, weights, states, verdicts, ejections, requests in flight, counters and connections.
 *
 * What may be picked is published as frozen lists that are replaced whole. Works alone, without a proxy.
 */
export class Pool extends SafeEmitter<PoolSignals> {
  readonly name: string;
  readonly queue: WaitQueue;
  readonly retryBudget: RetryBudget;
  readonly traffic: Traffic = new Traffic();
  readonly weighting: Weighting;
  readonly ejections: Ejections;
  readonly lookups: LookupRecord;
  /** Opens the sockets to its upstreams. */
  readonly connector: Connector;
  /** A connector that serves this pool alone. */
  readonly #ownConnector: Connector | undefined;
  readonly outage: Outage;
  readonly #runtime: Runtime;
  readonly #members: Members;
  readonly #verdicts: HealthVerdicts;
  readonly #accounting: AttemptAccounting;
  readonly #candidates: Candidates;
  #options: ResolvedPool;
  #closed = false;

  /** Makes a pool of options that have been checked already. */
  static resolved(name: string, options: ResolvedPool, runtime: Runtime, connector?: Connector): Pool {
    return new Pool(name, new CheckedOptions(options, connector), runtime);
  }

  /** Throws an `OptionsError` that names every mistake. */
  constructor(name: string, options: PoolOptions | CheckedOptions = {}, runtime?: Partial<Runtime>) {
    super();
    this.name = name;
    this.#runtime = resolveRuntime(runtime);
    const shared = options instanceof CheckedOptions ? options.connector : undefined;
    this.connector = shared ?? new Connector(this.#runtime);
    this.#ownConnector = shared === undefined ? this.connector : undefined;
    this.#options = toResolved(options);
    this.queue = new WaitQueue(this.#options.queue, this.#runtime.clock);
    this.retryBudget = new RetryBudget(this.#options.retry, this.#runtime.clock);
    const context = this.#createContext();
    this.weighting = new Weighting(context);
    this.#members = new Members(context, this.weighting);
    this.ejections = new Ejections(context, this.#members);
    this.lookups = new LookupRecord(context, this.#members);
    const { weighting, queue, lookups } = this;
    this.#candidates = new Candidates(context, { members: this.#members, weighting, queue, lookups });
    this.outage = new Outage(context, () => this.#candidates.usable);
    this.#verdicts = new HealthVerdicts(context, this.#members, this.outage);
    this.#accounting = new AttemptAccounting(context, this, this.#members.tunnels, (member) =>
      this.#onRelieved(member),
    );
    for (const upstream of this.#options.upstreams) this.#members.join(upstream);
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
    this.#candidates.refresh();
    return this.#candidates.lists.available;
  }

  /** What a policy chooses from; see availability.ts. */
  get candidates(): readonly Upstream[] {
    this.#candidates.refresh();
    return this.#candidates.lists.candidates;
  }

  /** The candidates that were not tried yet; when they have run out, whatever else is available, backups included. */
  candidatesExcept(tried: readonly Upstream[]): readonly Upstream[] {
    this.#candidates.refresh();
    return untried(this.#candidates.lists, tried);
  }

  get panic(): boolean {
    return this.#candidates.lists.panic;
  }

  /** Whether a new request gets a response from an upstream: at once, in panic, or after waiting for room. */
  get serving(): boolean {
    this.#candidates.refresh();
    return this.#candidates.lists.serving;
  }

  /** Whether somebody who was not tried yet is only full, or may still be found: a place in the queue will do. */
  mayFreeUp(tried: readonly Upstream[]): boolean {
    return this.#candidates.mayFreeUp(tried);
  }

  /** What is left to a request that could connect to no available upstream: see availability.ts. */
  lastResort(tried: readonly Upstream[]): readonly Upstream[] {
    return this.#candidates.lastResort(tried);
  }

  /** Whether an upstream can serve a client that is bound to it. */
  standing(upstream: Upstream): Standing {
    return this.#candidates.standing(upstream);
  }

  /** Requests on their way, without tunnels. */
  get inFlight(): number {
    return this.#members.sum((member) => member.requests);
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
    return this.#members.join(upstream);
  }

  /** Lets an upstream go: nothing new reaches it, what it is doing is finished. Throws `unknown_upstream`. */
  remove(id: string): void {
    this.#members.leave(this.#members.get(id));
  }

  /** Changes a weight from the next pick on. Throws an `OptionsError` outside 0 to 256, `unknown_upstream` otherwise. */
  setWeight(id: string, weight: number): void {
    const member = this.#members.get(id);
    requireUpstreamChange({ weight });
    this.weighting.setWeight(member, weight, "operator");
  }

  /**
   * `draining` and `disabled` take no new requests; both finish what they have begun. After `timeout` tunnels are closed with
   * WebSocket close 1001 and then cut. Throws `unknown_upstream`, or an `OptionsError` for any other word or timeout.
   */
  setState(id: string, state: UpstreamState, { timeout }: { readonly timeout?: Duration | undefined } = {}): void {
    const member = this.#members.get(id);
    requireUpstreamChange({ state, ...(timeout !== undefined && { timeout }) });
    const timeoutMs = timeout === undefined ? undefined : parseDuration(timeout);
    const from = member.state;
    member.state = state;
    this.#members.tunnels.stateSet(member, timeoutMs);
    if (from === state) return;
    this.#candidates.reconsider();
    this.emit("state", { pool: this.name, upstream: id, from, to: state });
  }

  /** Records a verdict of active checks; `cause` says more about `reason`. Nothing happens when it stays the same. */
  setHealth(upstream: Upstream, to: Health, reason: string, cause?: string): void {
    this.#verdicts.set(upstream as Member, to, reason, cause);
  }

  /** Keeps an upstream from traffic, panic included, until its first verdict, or takes that back. */
  hold(upstream: Upstream, held: boolean): void {
    this.#verdicts.hold(upstream as Member, held);
  }

  /** `startedAt` is when the probe began, on the monotonic clock. */
  countProbe(upstream: Upstream, success: boolean, startedAt: number): void {
    this.#verdicts.countProbe(upstream as Member, success, startedAt);
  }

  /** Takes every verdict back, when the pool is not checked any more. */
  forgetHealth(): void {
    this.#verdicts.forget();
  }

  /** Begins an attempt on an upstream just picked, from `lastResort()` or not, or one that replaces another. The caller settles it. */
  begin(upstream: Upstream, inPlaceOf?: Attempt, lastResort = false): Attempt {
    const member = upstream as Member;
    const attempt = new Attempt(member, this.#runtime.clock.now(), lastResort, this.#accounting);
    member.inFlight++;
    member.trial?.begin(attempt, inPlaceOf, this.#options.timeouts.headersMs);
    if (member.full) this.#candidates.forget();
    return attempt;
  }

  /** Tells the observer of each attempt from now on. Returns what ends that. */
  observe(observer: AttemptObserver): () => void {
    this.#accounting.observers.add(observer);
    return () => void this.#accounting.observers.delete(observer);
  }

  /** The connections to an upstream, opened when first asked for and kept as long as it stays. */
  transport(upstream: Upstream): Transport {
    return transportOf(upstream as Member, this.#options, this.#runtime, this.connector);
  }

  /**
   * Takes on new options. Upstreams whose id and URL stay keep everything: health, counters, sockets, tunnels, and the
   * weight and state an operator gave them unless their configured weight changes. The others join or leave.
   */
  reconfigure(options: ResolvedPool): MemberChanges {
    const before = this.#options;
    this.#options = options;
    this.queue.options = options.queue;
    this.retryBudget.options = options.retry;
    if (!connectsAlike(before, options)) this.#members.list.forEach(retireTransport);
    this.weighting.reconfigured();
    this.#candidates.beginUpdate();
    try {
      const changes = this.#members.replace(options.upstreams, false);
      if (options.discovery === undefined) changes.removed.push(...this.#members.replace([], true).removed);
      return changes;
    } finally {
      this.#candidates.reconsider();
      this.#candidates.endUpdate();
    }
  }

  /** Makes these the members found in DNS; those that are listed stay as they are, and keep their ids to themselves. */
  setDiscovered(upstreams: readonly ResolvedUpstream[]): MemberChanges {
    const listed = new Set(this.#members.list.filter(({ discovered }) => !discovered).map(({ id }) => id));
    const found = upstreams.filter(({ id }) => !listed.has(id));
    return this.#members.replace(found, true);
  }

  /** Ends every connection. Attempts in flight fail; later ones get connections that are not kept. */
  close(): void {
    this.#closed = true;
    this.outage.close();
    this.#candidates.close();
    this.#members.destroyTransports();
    this.#ownConnector?.stop();
  }

  snapshot(policy?: string): PoolSnapshot {
    this.#candidates.refresh();
    return poolSnapshot(this, this.#members.list, policy);
  }

  /** The part of `snapshot()` that is about one upstream, at the cost of one. */
  upstreamSnapshot(id: string): UpstreamSnapshot | undefined {
    this.#candidates.refresh();
    return this.#members.find(id)?.snapshot();
  }

  #onRelieved(member: Member): void {
    if (this.#closed && member.requests === 0) retireTransport(member);
    this.#members.releaseIfDrained(member);
  }

  #createContext(): PoolContext {
    const pool = this;
    return {
      name: this.name,
      runtime: this.#runtime,
      get options() {
        return pool.#options;
      },
      changed: () => this.#candidates.reconsider(),
      beginUpdate: () => this.#candidates.beginUpdate(),
      endUpdate: () => this.#candidates.endUpdate(),
      reweighed: () => this.#candidates.reweighed(),
      emit: (name, ...args) => this.emit(name, ...args),
    };
  }
}
