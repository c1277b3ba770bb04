import type { Socket } from "node:net";
import { ProcessMeter } from "@evenkeel/admin";
import { SharedState, systemClock } from "evenkeel";
import type { Logger } from "pino";
import { messageOf } from "../failure.ts";
import { limits } from "../limits.ts";
import type { LoadedConfig } from "../serving/loaded-config.ts";
import { ServingProcess } from "../serving/serving-process.ts";
import { workerLimits } from "./limits.ts";
import type { PrimaryMessage, StartMessage, WorkerConfig } from "./primary-messages.ts";
import { type Held, type WorkerMessage, type WorkerReport, weightReasonsOfTraffic } from "./worker-messages.ts";

/** Calls `done` when the message is on its way or cannot be sent. */
export type SendToPrimary = (message: WorkerMessage, done?: () => void) => void;

/** One of several processes that serve clients, as the messages of the primary say. It ends when it has drained. */
export class Worker {
  readonly #send: SendToPrimary;
  readonly #logger: Logger;
  readonly #state: SharedState;
  readonly #serving: ServingProcess;
  readonly #meter = new ProcessMeter();
  readonly #force = new AbortController();
  readonly #closeReports: NodeJS.Timeout;
  readonly #whenDrained: Promise<void>;
  #onDrained: () => void = () => {};
  #config: WorkerConfig;
  /** Open connections, as last reported. */
  #reported = 0;
  #drained: Promise<void> | undefined;

  /** Throws a `Failure` for an access log that cannot be opened, and what the configuration causes. */
  constructor(start: StartMessage, logger: Logger, send: SendToPrimary) {
    this.#config = start;
    this.#logger = logger;
    this.#send = send;
    this.#whenDrained = new Promise((resolve) => {
      this.#onDrained = resolve;
    });
    this.#state = new SharedState({
      self: start.id,
      clock: systemClock,
      isProber: () => false,
      generation: start.generation,
      // All participants have the same clock.
      maxAheadMs: Infinity,
      send: (update) => send({ type: "state", update }),
    });
    this.#state.setParticipants(start.participants);
    this.#state.receive(start.state);
    this.#serving = new ServingProcess(toLoaded(start), logger, { coordination: this.#state });
    const { proxy, server } = this.#serving;
    proxy.limitShares.begin(start.limits, (report) => send({ type: "limits", report }));
    this.#forwardEvents();
    this.#serving.openLog();
    server.openWithoutListening({ ticketKeys: Buffer.from(start.ticketKeys, "base64") });
    this.#closeReports = setInterval(() => this.#reportConnections(), workerLimits.connectionReportMs);
  }

  /** Call it once, before the worker is ready. Throws a `Failure` for tracing that cannot start. */
  startTracing(): Promise<void> {
    return this.#serving.startTracing();
  }

  receive(message: PrimaryMessage, socket: Socket | undefined): void {
    switch (message.type) {
      case "connection":
        return this.#accept(message.id, message.index, socket);
      case "ping":
        return this.#send({ type: "pong", n: message.n, held: this.#held() });
      case "configure":
        return this.#send({ type: "confirmed", n: message.n, ...this.#configure(message) });
      case "sync":
        return this.#send({ type: "confirmed", n: message.n });
      case "report":
        return this.#send({ type: "report", n: message.n, report: this.#report() });
      case "failures":
        return this.#send({ type: "failures", n: message.n, failures: this.#serving.proxy.recentFailures() });
      case "explain":
        return this.#send({ type: "explained", n: message.n, ...this.#explain(message) });
      case "state":
        this.#state.receive(message.update);
        return;
      case "participants":
        return this.#state.setParticipants(message.ids);
      case "grant":
        return this.#serving.proxy.limitShares.apply(message.grant);
      case "reopenLog":
        return this.#serving.reopenLog();
      case "drain":
        void this.drain(message.timeoutMs);
        return;
      case "end":
        return this.#force.abort();
      case "start":
        return;
    }
  }

  /** How long requests may take when the primary is gone. */
  get shutdownTimeoutMs(): number {
    return Math.min(this.#config.config.server.shutdownTimeoutMs, limits.longestTimerMs);
  }

  /** Lets requests in flight finish, and reports the last counts. */
  drain(timeoutMs: number): Promise<void> {
    this.#drained ??= this.#drain(timeoutMs);
    return this.#drained;
  }

  /** Resolves once it has drained, for whatever reason. */
  get drained(): Promise<void> {
    return this.#whenDrained;
  }

  async #drain(timeoutMs: number): Promise<void> {
    await this.#serving.drain({ timeoutMs, force: this.#force.signal, handedOver: true, report: () => {} });
    await this.#serving.close();
    clearInterval(this.#closeReports);
    await new Promise<void>((resolve) => this.#send({ type: "drained", report: this.#report() }, resolve));
    this.#meter.stop();
    this.#onDrained();
  }

  /** Confirms first: if this process ends now, either the primary still has the connection, or nothing of it was read. */
  #accept(id: number, index: number, socket: Socket | undefined): void {
    const { server } = this.#serving;
    this.#reported = server.status().connections.open + 1;
    this.#send({ type: "accepted", id, connections: this.#reported });
    // Without a socket the client was gone before the connection was sent.
    if (socket !== undefined) server.accept(index, socket);
  }

  #configure(config: WorkerConfig): { readonly error?: string } {
    const before = this.#state.generation;
    try {
      this.#state.setGeneration(config.generation);
      this.#serving.configure(toLoaded(config));
      this.#config = config;
      return {};
    } catch (error) {
      this.#state.setGeneration(before);
      this.#logger.error({ err: error }, `the configuration could not be applied: ${messageOf(error)}`);
      return { error: messageOf(error) };
    }
  }

  #explain({ request }: Extract<PrimaryMessage, { type: "explain" }>) {
    try {
      return { explanation: this.#serving.proxy.explain(request) };
    } catch {
      // The primary has the same error.
      return {};
    }
  }

  #report(): WorkerReport {
    const { proxy, server } = this.#serving;
    return { snapshot: proxy.snapshot(), status: server.status(), process: this.#meter.snapshot() };
  }

  #held(): Held {
    const { proxy, server } = this.#serving;
    let requests = 0;
    let tunnels = 0;
    for (const pool of proxy.pools.values()) {
      requests += pool.inFlight;
      tunnels += pool.tunnels;
    }
    return { connections: server.status().connections.open, requests, tunnels };
  }

  /** A worker that gets no connections would otherwise never report that it has room again. */
  #reportConnections(): void {
    const { open } = this.#serving.server.status().connections;
    if (open === this.#reported) return;
    this.#reported = open;
    this.#send({ type: "connections", connections: open });
  }

  #forwardEvents(): void {
    const { proxy } = this.#serving;
    const forward = (name: "eject" | "readmit" | "weight", event: object) => this.#send({ type: "event", name, event });
    proxy.on("eject", (event) => forward("eject", event));
    proxy.on("readmit", (event) => forward("readmit", event));
    proxy.on("weight", (event) => {
      if (weightReasonsOfTraffic.has(event.reason)) forward("weight", event);
    });
  }
}

function toLoaded({ config, tls }: WorkerConfig): LoadedConfig {
  return { config, tls };
}
