import { setTimeout as wait } from "node:timers/promises";
import type { AdminTarget, ListenerSnapshot } from "@evenkeel/admin";
import type { FileConfig } from "@evenkeel/config";
import { formatListenAddress, type ListenAddress, type Proxy as ReverseProxy } from "evenkeel";
import { type FindInherited, type InheritedSocket, type ListenFd, SystemdSockets } from "evenkeel/server";
import type { Logger } from "pino";
import { limits } from "../limits.ts";
import { shareStandardStreams } from "../log/shared-streams.ts";
import type { Inherit } from "../serving/serving.ts";
import { version } from "../version.ts";
import { OperatorSettings } from "./operator-settings.ts";
import { PidFile } from "./pid-file.ts";
import type { Predecessor } from "./predecessor.ts";
import { PredecessorCounts } from "./predecessor-counts.ts";
import type { ProcessCounts } from "./protocol.ts";
import { Restarts } from "./restarts.ts";
import type { SharedSocket, Successor } from "./successor.ts";
import { Takeover } from "./takeover.ts";

export interface SuccessionOptions {
  /** The process is a command that finds its predecessor when it is started again. Default: false. */
  readonly restartable?: boolean;
  /** The process that this one replaces. */
  readonly predecessor?: Predecessor | undefined;
  /** The listening sockets of systemd. */
  readonly listenFds?: readonly ListenFd[];
  /** The path of a file that gets the process id once this process serves. */
  readonly pidFile?: string | undefined;
}

/** The process, as its successor needs it. */
export interface SuccessionSubject {
  readonly target: AdminTarget;
  readonly listener: () => Promise<ListenerSnapshot>;
  readonly logger: Logger;
}

/** The end of a process that is replaced. */
export interface ReplacedProcess {
  /** The configuration with which the sockets were opened. */
  readonly opened: FileConfig;
  readonly sockets: () => readonly SharedSocket[];
  /** Ends the requests in flight. */
  readonly end: () => void;
  readonly replacedBy: (successor: Successor) => void;
}

/** One process in a row of processes that replace each other in place: what it takes over, and what it hands on. */
export class Succession {
  /** The target, with the counts of the predecessor. */
  readonly target: AdminTarget;
  readonly restartable: boolean;
  readonly #inner: SuccessionSubject;
  readonly #predecessor: Predecessor | undefined;
  readonly #pidFilePath: string | undefined;
  readonly #settings: OperatorSettings;
  readonly #counts: PredecessorCounts | undefined;
  readonly #restarts: Restarts;
  readonly #listenFds: readonly ListenFd[];
  #takeover: Takeover | undefined;
  #systemd: SystemdSockets | undefined;
  #pidFile: PidFile | undefined;
  #onAlone: () => void = () => {};
  readonly #alone: Promise<void> = new Promise((resolve) => {
    this.#onAlone = resolve;
  });

  constructor(
    subject: SuccessionSubject,
    { restartable = false, predecessor, listenFds = [], pidFile }: SuccessionOptions,
  ) {
    this.#listenFds = listenFds;
    this.restartable = restartable;
    this.#inner = subject;
    this.#predecessor = predecessor;
    this.#pidFilePath = pidFile;
    this.#settings = new OperatorSettings(subject.target);
    this.#restarts = new Restarts(subject.logger);
    this.#counts = predecessor && new PredecessorCounts(predecessor);
    this.target = this.#withCounts(this.#settings.target);
    if (predecessor !== undefined) void predecessor.ended.then(shareStandardStreams());
  }

  /** Begins to replace the predecessor, if there is one. Throws a `Failure` if this process cannot. */
  async begin(config: FileConfig): Promise<void> {
    if (this.#pidFilePath !== undefined) this.#pidFile = PidFile.prepare(this.#pidFilePath);
    if (this.#predecessor === undefined) return;
    this.#takeover = new Takeover(this.#predecessor, config);
    await this.#takeover.begin();
  }

  /** For the listeners of clients; undefined if they inherit nothing. */
  inherit(proxy: ReverseProxy, config: FileConfig): Inherit | undefined {
    const takeover = this.#takeover;
    if (takeover !== undefined) {
      return async () => {
        await takeover.prepare(proxy, this.#settings);
        return takeover.takeSockets();
      };
    }
    return this.#listenFds.length === 0 ? undefined : () => this.#openSystemd(config);
  }

  /** Whether the admin API may have an inherited socket, after `inherit`. */
  inheritsAdmin(address: ListenAddress): boolean {
    return this.#takeover?.inheritsAdmin(address) === true || this.#listenFds.length > 0;
  }

  adminSocket(address: ListenAddress): InheritedSocket | undefined {
    return this.#takeover?.adminSocket(address) ?? this.#systemd?.take(address);
  }

  /** The predecessor has responded to its last request to the admin API. Undefined if there is none. */
  get alone(): Promise<void> | undefined {
    return this.#predecessor && this.#alone;
  }

  /**
   * This process serves. Resolves when it alone accepts connections. Calls `reload` if a reload of the predecessor was requested
   * in the meantime. Throws a `Failure`.
   */
  async serves(reload: () => void): Promise<void> {
    this.#pidFile?.publish();
    this.#takeover?.close();
    this.#predecessor?.ready();
    const settled = this.#predecessor?.draining.then(async (last) => {
      if (last === undefined) return;
      await this.#settings.apply(last.intent);
      if (last.reload) reload();
    });
    // The admin API responds from then on: an operator's next change must not be replaced by an earlier one.
    await Promise.race([settled, wait(limits.restartAloneMs, undefined, { ref: false })]);
    this.#onAlone();
  }

  async listener(): Promise<ListenerSnapshot> {
    const own = await this.#inner.listener();
    return this.#counts?.listener(own) ?? own;
  }

  /** Replaces this process; see `Restarts.run`. */
  restart({ opened, ...process }: ReplacedProcess): Promise<{ readonly pid: number }> {
    return this.#restarts.run({
      ...process,
      version,
      listen: opened.server.listen.map(formatListenAddress),
      admin: opened.admin && formatListenAddress(opened.admin.listen),
      intent: () => this.#settings.intent(),
    });
  }

  /** Resolves when no restart is in progress: whether this process was replaced. */
  settled(): Promise<boolean> {
    return this.#restarts.settled();
  }

  /** Ends a restart in progress. This process will stop. */
  stop(): void {
    this.#restarts.stop();
  }

  /** Ends the requests in flight in the predecessor. */
  endPredecessor(): void {
    this.#predecessor?.endNow();
  }

  /** Resolves when the predecessor has ended, at the latest after a time. */
  async predecessorEnded(timeoutMs: number, force: AbortSignal): Promise<void> {
    if (this.#predecessor === undefined) return;
    const waiting = wait(timeoutMs, undefined, { signal: force, ref: false }).catch(() => {});
    await Promise.race([this.#predecessor.ended, waiting]);
  }

  /** Hands on everything that this process still has, until it has drained. */
  async handOn(successor: Successor, reload: boolean, drained: Promise<void>): Promise<void> {
    successor.draining({ ...(await this.#allCounts()), intent: await this.#settings.intent(), reload });
    const timer = setInterval(
      () => void this.#allCounts().then((counts) => successor.count(counts)),
      limits.restartCountsMs,
    );
    await drained;
    clearInterval(timer);
    await successor.lastCount(await this.#allCounts());
  }

  close(): void {
    this.#pidFile?.remove();
  }

  async #openSystemd({ server, admin }: FileConfig): Promise<FindInherited> {
    const addresses = [...server.listen, ...(admin === undefined ? [] : [admin.listen])];
    this.#systemd = await SystemdSockets.open(this.#listenFds, addresses);
    for (const unused of this.#systemd.unused) this.#inner.logger.warn(`a socket of systemd is not used: ${unused}`);
    return this.#systemd.take;
  }

  async #allCounts(): Promise<ProcessCounts> {
    const [snapshot, listener, workers] = await Promise.all([
      this.target.snapshot(),
      this.listener(),
      this.target.workers?.(),
    ]);
    return { snapshot, listener, restarts: workers?.map(({ worker, restarts }) => ({ worker, restarts })) };
  }

  #withCounts(inner: AdminTarget): AdminTarget {
    const counts = this.#counts;
    if (counts === undefined) return inner;
    return Object.assign(Object.create(inner) as AdminTarget, {
      snapshot: async () => counts.snapshot(await inner.snapshot()),
      ...(inner.workers !== undefined && { workers: async () => counts.workers((await inner.workers?.()) ?? []) }),
    });
  }
}
