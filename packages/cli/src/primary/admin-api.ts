import { isDeepStrictEqual } from "node:util";
import { type Admin, createAdmin, type ListenerSnapshot } from "@evenkeel/admin";
import type { AdminConfig } from "@evenkeel/config";
import { formatListenAddress, type ReloadChanges, type Proxy as ReverseProxy } from "evenkeel";
import type { Logger } from "pino";
import { limits } from "../limits.ts";
import { orFailure } from "../serving/listen-failure.ts";
import { ThrottledWarning } from "../throttled-warning.ts";
import { AdminListener } from "./admin-listener.ts";

/** What the admin API inspects and changes. */
export interface AdminSubject {
  readonly target: ReverseProxy;
  readonly listener: () => ListenerSnapshot;
  readonly reload: () => Promise<ReloadChanges>;
}

/** The admin API with its listener. */
export class AdminApi {
  readonly #subject: AdminSubject;
  readonly #dropped: ThrottledWarning;
  readonly #failedAccepts: ThrottledWarning;
  #config: AdminConfig;
  #admin: Admin;
  #listener: AdminListener | undefined;

  /** Throws a `Failure` when the address cannot be listened on. `descriptors` is how many files the process may open. */
  static async open(
    config: AdminConfig,
    subject: AdminSubject,
    descriptors: number,
    logger: Logger,
  ): Promise<AdminApi> {
    const api = new AdminApi(config, subject, logger);
    const max = Math.min(limits.adminConnections, Math.ceil(descriptors / limits.adminDescriptorShare));
    const opening = AdminListener.open(config.listen, max, {
      request: (req, res) => api.#admin.handler(req, res),
      dropped: () => api.#dropped.add(),
      error: () => api.#failedAccepts.add(),
    });
    api.#listener = await orFailure(opening);
    return api;
  }

  private constructor(config: AdminConfig, subject: AdminSubject, logger: Logger) {
    this.#subject = subject;
    this.#config = config;
    this.#dropped = new ThrottledWarning((connections) => {
      const { adminConnections: maxConnections } = limits;
      logger.warn({ connections, maxConnections }, "connections to the admin API were refused: the limit is reached");
    });
    this.#failedAccepts = new ThrottledWarning((times) => {
      logger.error({ times }, "connections to the admin API could not be accepted");
    });
    this.#admin = this.#create(config);
  }

  get url(): string {
    return this.#listener?.url ?? "";
  }

  /** Applies another configuration, except for the address. The event streams stay open if nothing has changed. */
  configure(config: AdminConfig): void {
    if (isDeepStrictEqual(config, this.#config)) return;
    this.#config = config;
    this.#admin.close();
    this.#admin = this.#create(config);
  }

  /** Closes the listener and its connections. */
  close(): void {
    this.#admin.close();
    this.#listener?.destroy();
    this.#dropped.close();
    this.#failedAccepts.close();
  }

  #create({ token, metrics, hosts, readyPools, listen }: AdminConfig): Admin {
    const { target, listener, reload } = this.#subject;
    return createAdmin(target, {
      ...(token !== undefined && { token }),
      metrics,
      hosts,
      readyPools,
      listen: formatListenAddress(listen),
      onReload: reload,
      listener,
    });
  }
}
