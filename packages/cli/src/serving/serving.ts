import type { AdminTarget } from "@evenkeel/admin";
import type { ReloadChanges, Proxy as ReverseProxy } from "evenkeel";
import type { FindInherited, ListeningHandle, ServerStatus } from "evenkeel/server";
import type { LoadedConfig } from "./loaded-config.ts";

export interface DrainOptions {
  /** How long requests in flight may take. */
  readonly timeoutMs: number;
  /** Aborted when the stop is forced. */
  readonly force: AbortSignal;
  /** Another process has the listening sockets, and accepts what the system has queued. */
  readonly handedOver: boolean;
}

/** Called when everything else is ready: returns the sockets of another process, whose connections have to be served then. */
export type Inherit = () => Promise<FindInherited>;

/** What serves clients: this process, or workers. */
export interface Serving {
  /** The proxy of this process. It has the pools, their health, and what an operator has set. */
  readonly proxy: ReverseProxy;
  /** What the admin API inspects and changes: everything that serves. */
  readonly target: AdminTarget;
  /** The URLs of the listeners, with the ports that the system chose; "unix:" and a path for a Unix socket. */
  readonly urls: readonly string[];
  /**
   * Throws a `Failure` for an address or a log file that cannot be used. The caller calls `destroy` then. `beforeServing` is
   * called when every address is open; resolves in the turn in which connections are served and Unix sockets have their paths.
   */
  start(inherit?: Inherit, beforeServing?: () => Promise<void>): Promise<void>;
  /** Applies a configuration that was loaded again. If it rejects, nothing has changed, and the log has the reason. */
  configure(loaded: LoadedConfig): Promise<ReloadChanges>;
  /** A process serves clients at the moment. Without one, their connections wait. */
  readonly alive: boolean;
  /** The state of the listeners for clients. */
  status(): Promise<ServerStatus>;
  /** How many files a process of this command may open. */
  readonly descriptors: number;
  /** What another process can take over. */
  listeningSockets(): readonly ListeningHandle[];
  /** Reopens the access log by its path, after log rotation has renamed the file. */
  reopenLog(): void;
  /** Stops accepting connections, waits for requests in flight, and ends the rest. */
  drain(options: DrainOptions): Promise<void>;
  /** Writes and closes the logs. After `drain`. */
  close(): Promise<void>;
  /** Closes everything at once. */
  destroy(): Promise<void>;
}
