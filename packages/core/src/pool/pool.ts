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
import { Attempt, AttemptAccounting, type AttemptObserver } from "./attempt.ts";
import { candidatesExcept, type Standing } from "./availability/availability.ts";
import { Candidates } from "./availability/candidates.ts";
import { DiscoveryStatus } from "./availability/discovery-status.ts";
import { Ejections } from "./availability/ejections.ts";
import { HealthVerdicts, type ProbeOutcome } from "./availability/health-verdicts.ts";
import { Outage } from "./availability/outage.ts";
import { WaitQueue } from "./availability/wait-queue.ts";
import { EffectiveWeights } from "./effective-weight.ts";
import { PoolLimits } from "./limits/pool-limits.ts";
import { RetryBudget } from "./limits/retry-budget.ts";
import { type MemberChanges, Members } from "./members.ts";
import { createPoolContext, type PoolContext, type PoolSignals } from "./pool-context.ts";
import { poolSnapshot } from "./pool-snapshot.ts";
import { ResolvedPoolOptions, toResolved } from "./resolved-options.ts";
import { Traffic } from "./statistics/traffic.ts";
import { hasSameConnectionOptions, retireTransport, transportOf } from "./transports.ts";
import type { Member, Upstream } from "./upstream.ts";
import { assertUpstreamChange, checkNewUpstream } from "./validate-change.ts";

/**
 * A named group of upstreams that serve the same content. It owns their mutable state: membership, weights, states, verdicts,
 * ejections, requests in flight, counters and connections.
 *
 * Candidates are published as frozen lists that are replaced on every change. Works alone, without a proxy.
 */
export class Pool extends SafeEmitter<PoolSignals> {
  readonly name: string;
  readonly queue: WaitQueue;
  readonly retryBudget: RetryBudget;
  /** The limits as they hold in this process. */
  readonly limits: PoolLimits;
  readonly traffic: Traffic = new Traffic();
  readonly effectiveWeights: EffectiveWeights;
  readonly ejections: Ejections;
  readonly verdicts: HealthVerdicts;
  readonly discoveryStatus: DiscoveryStatus;
  /** Opens the sockets to the upstreams. */
  readonly connector: Connector;
  /** Undefined when the connector belongs to a proxy. */
  readonly #ownConnector: Connector | undefined;
  readonly outage: Outage;
  readonly #runtime: Runtime;
  readonly #members: Members;
  readonly #accounting: AttemptAccounting;
  readonly #candidates: Candidates;
  #options: ResolvedPool;
  #closed = false;

  /** Creates a pool from validated options. */
  static resolved(name: string, options: ResolvedPool, runtime: Runtime, connector?: Connector): Pool {
    return new Pool(name, new ResolvedPoolOptions(options, connector), runtime);
  }

  /** Throws an `OptionsError` that names every mistake. */
  constructor(name: string, options: PoolOptions | ResolvedPoolOptions = {}, runtime?: Partial<Runtime>) {
    super();
    this.name = name;
    this.#runtime = resolveRuntime(runtime);
    const shared = options instanceof ResolvedPoolOptions ? options.connector : undefined;
    this.connector = shared ?? new Connector(this.#runtime);
    this.#ownConnector = shared === undefined ? this.connector : undefined;
    this.#options = toResolved(options);
    this.queue = new WaitQueue(this.#options.queue, this.#runtime.clock);
    this.retryBudget = new RetryBudget(this.#options.retry, this.#runtime.clock);
    const context = this.#createContext();
    this.effectiveWeights = new EffectiveWeights(context);
    this.#members = new Members(context, this.effectiveWeights);
    this.ejections = new Ejections(context, this.#members);
    this.discoveryStatus = new DiscoveryStatus(context, this.#members);
    this.#candidates = new Candidates(context, this.#members, this);
    this.outage = new Outage(context, this.queue, () => this.#candidates.usable);
    this.limits = new PoolLimits(context, this, () => this.#members.list);
    this.verdicts = new HealthVerdicts(context, this.#members, this.outage);
    this.#accounting = new AttemptAccounting(context, this, this.#members.tunnels, this.#onReleased);
    this.#candidates.beginUpdate();
    for (const upstream of this.#options.upstreams) this.#members.join(upstream);
    this.#candidates.endUpdate();
  }

  /** The current options, validated and with defaults. */
  get options(): ResolvedPool {
    return this.#options;
  }

  get upstreams(): readonly Upstream[] {
    return this.#members.list;
  }

  /** The upstreams that may be picked now. A new frozen list after each change. */
  get available(): readonly Upstream[] {
    this.#candidates.refresh();
    return this.#candidates.lists.available;
  }

  /** The upstreams that a policy picks from; see availability.ts. */
  get candidates(): readonly Upstream[] {
    this.#candidates.refresh();
    return this.#candidates.lists.candidates;
  }

  /** The untried candidates, or, when there are none, the other available upstreams, backups included. */
  candidatesExcept(tried: readonly Upstream[]): readonly Upstream[] {
    this.#candidates.refresh();
    return candidatesExcept(this.#candidates.lists, tried);
  }

  get panic(): boolean {
    return this.#candidates.lists.panic;
  }

  /** Whether a new request gets a response from an upstream: at once, in panic, or after waiting for room. */
  get serving(): boolean {
    this.#candidates.refresh();
    return this.#candidates.lists.serving;
  }

  /** Since when `serving` is as it is, in milliseconds since 1970. */
  get servingSince(): number {
    return this.#candidates.servingSince;
  }

  /** Whether waiting may help: an untried upstream is only full, or the first lookup has not ended. */
  mayFreeUp(tried: readonly Upstream[]): boolean {
    return this.#candidates.mayFreeUp(tried);
  }

  /** The upstreams for a request that could connect to no available one; see availability.ts. */
  lastResort(tried: readonly Upstream[]): readonly Upstream[] {
    return this.#candidates.lastResort(tried);
  }

  /** Whether an upstream can serve a client that is bound to it. */
  standing(upstream: Upstream): Standing {
    return this.#candidates.standing(upstream);
  }

  /** Requests in flight, without tunnels. */
  get inFlight(): number {
    return this.#members.sum((member) => member.requests);
  }

  get tunnels(): number {
    return this.#members.sum((member) => member.tunnels);
  }

  get(id: string): Upstream | undefined {
    return this.#members.find(id);
  }

  /** Adds an upstream. Throws an `OptionsError` for invalid options or an id that is in use. */
  add(options: string | UpstreamOptions): Upstream {
    const upstream = resolveUpstream(options);
    checkNewUpstream(upstream.id, this.#members.list);
    const member = this.#members.join(upstream);
    const added = { ...(typeof options === "string" ? { url: options } : options), id: member.id };
    this.emit("operated", member, { what: "member", options: added });
    return member;
  }

  /** Removes an upstream. It gets no new requests, and finishes those in flight. Throws `unknown_upstream`. */
  remove(id: string): void {
    const member = this.#members.get(id);
    this.#members.leave(member);
    this.emit("operated", member, { what: "member", options: null });
  }

  /** Sets a weight from the next pick on. Throws `unknown_upstream`, or an `OptionsError` for a weight outside 0 to 256. */
  setWeight(id: string, weight: number): void {
    const member = this.#members.get(id);
    assertUpstreamChange({ weight });
    this.effectiveWeights.setWeight(member, weight, "operator");
    this.emit("operated", member, { what: "weight", weight });
  }

  /**
   * `draining` and `disabled` upstreams get no new requests, and finish those in flight. After `timeout` their tunnels are
   * closed with WebSocket close 1001, then cut. Throws `unknown_upstream`, or an `OptionsError` for invalid values.
   */
  setState(id: string, state: UpstreamState, { timeout }: { readonly timeout?: Duration | undefined } = {}): void {
    const member = this.#members.get(id);
    assertUpstreamChange({ state, ...(timeout !== undefined && { timeout }) });
    this.#members.setState(member, state, timeout === undefined ? undefined : parseDuration(timeout));
    this.emit("operated", member, { what: "state", state, timeout });
  }

  /** Sets the verdict of active checks. `cause` is the error behind `reason`. An unchanged verdict has no effect. */
  setHealth(upstream: Upstream, to: Health, reason: string, cause?: string): void {
    this.verdicts.set(upstream as Member, to, reason, cause);
  }

  /** Holds an upstream back from traffic, also in panic, until its first verdict; or releases it. */
  hold(upstream: Upstream, held: boolean): void {
    this.verdicts.hold(upstream as Member, held);
  }

  /** `startedAt` is when the probe began, on the monotonic clock. */
  countProbe(upstream: Upstream, outcome: ProbeOutcome, startedAt: number): void {
    this.verdicts.countProbe(upstream as Member, outcome, startedAt);
  }

  /** Resets all verdicts, when health checks are switched off. */
  forgetHealth(): void {
    this.verdicts.forget();
  }

  /** Begins an attempt on a picked upstream. The caller must settle it. `inPlaceOf` is the attempt that it replaces. */
  begin(upstream: Upstream, inPlaceOf?: Attempt, lastResort = false): Attempt {
    const member = upstream as Member;
    const attempt = new Attempt(member, this.#runtime.clock.now(), lastResort, this.#accounting);
    member.inFlight++;
    member.trial?.begin(attempt, inPlaceOf, this.#options.timeouts.headersMs);
    if (member.full) this.#candidates.onFull(member);
    return attempt;
  }

  /** Adds an observer of attempts. Returns the function that removes it. */
  observe(observer: AttemptObserver): () => void {
    this.#accounting.observers.add(observer);
    return () => void this.#accounting.observers.delete(observer);
  }

  /** Returns the transport of an upstream, which is created at its first use. */
  transport(upstream: Upstream): Transport {
    return transportOf(upstream as Member, this.#options, this.#runtime, this);
  }

  /**
   * Applies new options. Upstreams with the same id and URL keep their health, counters, sockets and tunnels, their state, and
   * an operator's weight unless the configured weight changes. The others join or leave.
   */
  reconfigure(options: ResolvedPool): MemberChanges {
    const before = this.#options;
    this.#options = options;
    this.limits.reconfigure(options);
    if (!hasSameConnectionOptions(before, options)) this.#members.list.forEach(retireTransport);
    this.effectiveWeights.reconfigured();
    this.#candidates.beginUpdate();
    try {
      const changes = this.#members.replace(options.upstreams, false);
      if (options.discovery === undefined) changes.removed.push(...this.#members.replace([], true).removed);
      return changes;
    } finally {
      this.#candidates.invalidate();
      this.#candidates.endUpdate();
    }
  }

  /** Replaces the discovered members. Listed members stay; a discovered one with the id of a listed one is ignored. */
  setDiscovered(upstreams: readonly ResolvedUpstream[]): MemberChanges {
    return this.#members.discover(upstreams);
  }

  /** Ends all connections. Attempts in flight fail; the connections of later ones are not kept. */
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

  /** The part of `snapshot()` for one upstream, computed for that upstream only. */
  upstreamSnapshot(id: string): UpstreamSnapshot | undefined {
    this.#candidates.refresh();
    return this.#members.find(id)?.snapshot();
  }

  readonly #onReleased = (member: Member): void => {
    if (this.#closed && member.requests === 0) retireTransport(member);
    this.#members.releaseIfDrained(member);
  };

  #createContext(): PoolContext {
    return createPoolContext(this.name, this.#runtime, {
      options: () => this.#options,
      limits: () => this.limits,
      candidates: () => this.#candidates,
      emit: (name, ...args) => this.emit(name, ...args),
    });
  }
}
