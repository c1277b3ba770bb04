import { isDeepStrictEqual } from "node:util";
import { type Admin, type AdminOptions, type AdminTarget, createAdmin } from "@evenkeel/admin";
import type { AdminConfig } from "@evenkeel/config";
import { formatListenAddress } from "evenkeel";
import type { InheritedSocket, ListeningHandle } from "evenkeel/server";
import type { Logger } from "pino";
import { limits } from "../limits.ts";
import { orFailure } from "../serving/listen-failure.ts";
import { ThrottledWarning } from "../throttled-warning.ts";
import { AdminListener, type AdminListenerEvents } from "./admin-listener.ts";

/** What the admin API inspects and changes. */
export interface AdminSubject
  extends Pick<AdminOptions, "listener" | "starting" | "draining" | "onReload" | "onRestart" | "config"> {
  readonly target: AdminTarget;
}

/** How the admin API begins in a process that replaces another one, or that has sockets of systemd. */
export interface AdminSuccession {
  readonly from: InheritedSocket | undefined;
  /** The other process no longer responds to requests. Until then this one does not either: their counts would go back. */
  readonly alone: Promise<unknown> | undefined;
}

/** The admin API with its listener. */
export class AdminApi {
  readonly #subject: AdminSubject;
  readonly #dropped: ThrottledWarning;
  readonly #failedAccepts: ThrottledWarning;
  readonly #alone: Promise<unknown> | undefined;
  #config: AdminConfig;
  #admin: Admin;
  #listener: AdminListener | undefined;

  /** Throws a `Failure` when the address cannot be listened on. `descriptors` is how many files the process may open. */
  static async open(
    config: AdminConfig,
    subject: AdminSubject,
    descriptors: number,
    logger: Logger,
    succession?: AdminSuccession,
  ): Promise<AdminApi> {
    const api = new AdminApi(config, subject, logger, succession?.alone);
    let alone = succession?.alone;
    void alone?.then(() => {
      alone = undefined;
    });
    const max = Math.min(limits.adminConnections, Math.ceil(descriptors / limits.adminDescriptorShare));
    const events: AdminListenerEvents = {
      request(req, res) {
        if (alone === undefined) api.#admin.handler(req, res);
        else void alone.then(() => api.#admin.handler(req, res));
      },
      dropped: () => api.#dropped.add(),
      error: () => api.#failedAccepts.add(),
    };
    const opening = AdminListener.open(config.listen, max, events, succession?.from);
    api.#listener = await orFailure(opening);
    return api;
  }

  private constructor(config: AdminConfig, subject: AdminSubject, logger: Logger, alone: Promise<unknown> | undefined) {
    this.#subject = subject;
    this.#alone = alone;
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

  /** The listening socket, for a process that replaces this one. */
  get handle(): ListeningHandle | undefined {
    return this.#listener?.handle;
  }

  /** Leaves everything to the process that replaces this one. Resolves when the requests in progress have their response. */
  async handOver(): Promise<void> {
    const handedOver = this.#listener?.handOver();
    // Ends the event streams. Requests on open connections still get their responses.
    this.#admin.close();
    this.#admin = this.#create(this.#config);
    await handedOver;
    this.close();
  }

  /** Closes the listener and its connections. */
  close(): void {
    this.#admin.close();
    this.#listener?.destroy();
    this.#dropped.close();
    this.#failedAccepts.close();
  }

  #create({ token, readToken, dashboard, metrics, hosts, readyPools, listen }: AdminConfig): Admin {
    const { target, ...subject } = this.#subject;
    return createAdmin(target, {
      ...subject,
      ...(token !== undefined && { token }),
      ...(readToken !== undefined && { readToken }),
      dashboard,
      metrics,
      hosts,
      readyPools,
      listen: formatListenAddress(listen),
      // Until then the counts of the other process arrive, which are no traffic of this moment.
      sampleAfter: this.#alone,
    });
  }
}
