/** A proxy without sockets: forwarding between scripted clients and scripted upstreams, on virtual time. */

import { expect, onTestFinished } from "vitest";
import { InFlightSet } from "../../src/attempts/in-flight.ts";
import type { ProxyOptions } from "../../src/config/options.ts";
import { resolveOptions, toLatencyBounds } from "../../src/config/resolve.ts";
import type { OpenDns } from "../../src/dns/dns-client.ts";
import type { ProxyEvents, ReloadChanges, RequestEvent } from "../../src/events.ts";
import { poolEventNames } from "../../src/events.ts";
import type { ForwardContext } from "../../src/forward/context.ts";
import { handleRequest, type RequestOptions } from "../../src/forward/handle-request.ts";
import type { Hooks } from "../../src/forward/hooks.ts";
import { createReporter } from "../../src/observe/create-reporter.ts";
import { ProxyRecords } from "../../src/observe/proxy-records.ts";
import type { Pool } from "../../src/pool/pool.ts";
import type { Member } from "../../src/pool/upstream.ts";
import { PoolRegistry } from "../../src/pool-registry.ts";
import { createRouting } from "../../src/request/create-routing.ts";
import { readRequest } from "../../src/request/routed-request.ts";
import type { Routing } from "../../src/request/routing.ts";
import { SafeEmitter } from "../../src/runtime/emitter.ts";
import type { Random } from "../../src/runtime/random.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { Connector } from "../../src/transport/connector.ts";
import { ContextTransport } from "../../src/transport/context-transport.ts";
import type { ReceivedResponse } from "../contract/client-exchange-harness.ts";
import { ScriptedClient } from "./scripted-client.ts";
import { scriptedProbe } from "./scripted-probe.ts";
import type { ScriptedRequest } from "./scripted-request.ts";
import { upstreamAt } from "./scripted-upstream.ts";
import { seededRandom } from "./seeded-random.ts";
import { VirtualClock } from "./virtual-clock.ts";

export interface LabOptions extends Hooks {
  readonly random?: Random;
  /** What discovery asks. Default: DNS. */
  readonly openDns?: OpenDns;
}

/** What an adapter knows of a request, and what its client sends. */
export interface LabRequest extends Omit<ScriptedRequest, "headers"> {
  readonly headers?: Readonly<Record<string, string | readonly string[]>> | readonly string[] | undefined;
  readonly options?: RequestOptions;
}

/** A response as a client of HTTP reads it. */
export interface LabResponse {
  readonly status: number;
  readonly statusText: string;
  /** By lower-case name; repeated fields are joined, but for `set-cookie`. */
  readonly headers: Readonly<Record<string, string>> & { readonly "set-cookie"?: string[] };
  readonly rawHeaders: readonly string[];
  readonly trailers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly text: string;
}

class LabEvents extends SafeEmitter<ProxyEvents> {
  override emit<K extends keyof ProxyEvents & string>(name: K, ...args: ProxyEvents[K]): void {
    super.emit(name, ...args);
  }

  override hasListeners(name: keyof ProxyEvents & string): boolean {
    return super.hasListeners(name);
  }
}

export class ForwardLab extends LabEvents {
  readonly clock = new VirtualClock();
  /** Every request that has ended, in that order. */
  readonly requests: RequestEvent[] = [];
  readonly context: ForwardContext;
  readonly inFlight = new InFlightSet();
  draining = false;
  readonly #registry: PoolRegistry;
  readonly records = new ProxyRecords(this.clock.wallNow(), toLatencyBounds());
  #routing: Routing;

  constructor(options: ProxyOptions, { random, openDns, ...hooks }: LabOptions) {
    super();
    const runtime: Runtime = { clock: this.clock, random: random ?? seededRandom() };
    const resolved = resolveOptions(options);
    this.#registry = new PoolRegistry(resolved.pools, {
      runtime,
      connector: new Connector(runtime),
      onAdded: (pool) => this.#onPool(pool),
      probe: scriptedProbe,
      openDns,
    });
    this.#routing = createRouting(resolved, this.#registry.current);
    this.on("request", (event) => this.requests.push(event));
    const lab = this;
    this.context = {
      runtime,
      hooks,
      inFlight: this.inFlight,
      tracing: true,
      reporter: createReporter(this.records, this, this.clock),
      get routing() {
        return lab.#routing;
      },
      get draining() {
        return lab.draining;
      },
    };
  }

  get pools(): ReadonlyMap<string, Pool> {
    return this.#registry.pools;
  }

  /** The pool of a lab that has one. */
  get pool(): Pool {
    const [pool] = this.pools.values();
    if (pool === undefined) throw new Error("no pool");
    return pool;
  }

  get routing(): Routing {
    return this.#routing;
  }

  /** Sends a request. */
  begin(target = "/", { headers, options = {}, ...request }: LabRequest = {}): ScriptedClient {
    const client = new ScriptedClient({ target, ...request, headers: toList(headers) });
    const { exchange } = client;
    const received = readRequest(exchange, this.#routing, options);
    handleRequest(this.context, this.#routing, exchange, received, { request: exchange, ...options });
    return client;
  }

  /** Sends a request and resolves with its response. Rejects when the response breaks off. */
  async fetch(target = "/", request: LabRequest = {}): Promise<LabResponse> {
    const received = await this.begin(target, request).ended();
    if (!received.complete) throw new Error("the response was cut off");
    return toResponse(received);
  }

  /** Resolves with the first so many finished requests, as soon as there are that many. */
  finished(count: number): Promise<readonly RequestEvent[]> {
    return new Promise((resolve) => {
      const check = () => {
        if (this.requests.length < count) return;
        this.off("request", check);
        resolve(this.requests);
      };
      this.on("request", check);
      check();
    });
  }

  reload(options: ProxyOptions): Omit<ReloadChanges, "routes"> {
    const resolved = resolveOptions(options);
    const changes = this.#registry.apply(resolved.pools);
    this.#routing = createRouting(resolved, this.#registry.current);
    return changes;
  }

  snapshot() {
    const pools = [...this.#registry.current.values()].map(({ pool, balancer }) => pool.snapshot(balancer.policy.name));
    return { requests: this.records.metrics.requests(), durations: this.records.metrics.durations(), pools };
  }

  grpcCalls() {
    return this.records.metrics.grpcCalls();
  }

  /** What is still held, in words. */
  leftovers(): string[] {
    return this.snapshot().pools.flatMap(({ name, inFlight, queueDepth, outage }) => [
      ...(inFlight > 0 ? [`${name}: ${inFlight} in flight`] : []),
      ...(queueDepth > 0 ? [`${name}: ${queueDepth} waiting`] : []),
      ...((outage?.waiting ?? 0) > 0 ? [`${name}: ${outage?.waiting} waiting for the end of an outage`] : []),
    ]);
  }

  /** Stops what watches the pools, and lets no request wait for an upstream. */
  stop(): void {
    this.#registry.stop();
  }

  close(): void {
    this.#registry.close();
  }

  #onPool(pool: Pool): void {
    for (const name of poolEventNames) pool.on(name, (...args) => this.emit(name, ...args));
    pool.transport = (upstream) => {
      const member = upstream as Member;
      member.transport ??= new ContextTransport(upstreamAt(member.url));
      return member.transport;
    };
  }
}

/**
 * A lab whose pools have scripted upstreams. When the test has ended, everything in flight is ended, and nothing may be left
 * over.
 */
export function startLab(options: ProxyOptions, surroundings: LabOptions = {}): ForwardLab {
  const lab = new ForwardLab(options, surroundings);
  onTestFinished(async () => {
    lab.stop();
    for (let pass = 0; pass < 2; pass++) {
      lab.inFlight.destroyAll();
      await lab.clock.advanceAsync(1_000);
    }
    lab.close();
    expect(lab.leftovers()).toEqual([]);
  });
  return lab;
}

export function toResponse(received: ReceivedResponse): LabResponse {
  const { status, reason, headers, trailers, body } = received;
  return {
    status,
    statusText: reason,
    headers: toRecord(headers),
    rawHeaders: headers,
    trailers: toRecord(trailers),
    body,
    text: body.toString(),
  };
}

function toRecord(list: readonly string[]): LabResponse["headers"] {
  const record: Record<string, string> & { "set-cookie"?: string[] } = {};
  for (let index = 0; index < list.length; index += 2) {
    const name = (list[index] as string).toLowerCase();
    const value = list[index + 1] as string;
    if (name === "set-cookie") record["set-cookie"] = [...(record["set-cookie"] ?? []), value];
    else record[name] = record[name] === undefined ? value : `${record[name]}, ${value}`;
  }
  return record;
}

function toList(headers: LabRequest["headers"] = []): readonly string[] {
  if (Array.isArray(headers)) return headers as readonly string[];
  return Object.entries(headers).flatMap(([name, value]) => [value].flat().flatMap((one) => [name, one as string]));
}
