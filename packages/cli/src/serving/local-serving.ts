import { type AdminTarget, proxyTarget } from "@evenkeel/admin";
import type { ReloadChanges, Proxy as ReverseProxy } from "evenkeel";
import type { ListeningHandle, ServerStatus } from "evenkeel/server";
import type { Logger } from "pino";
import { drainReport } from "./drain-report.ts";
import { orFailure } from "./listen-failure.ts";
import type { LoadedConfig } from "./loaded-config.ts";
import type { DrainOptions, Inherit, Serving } from "./serving.ts";
import { ServingProcess } from "./serving-process.ts";

/** Serves clients in this process. */
export class LocalServing implements Serving {
  readonly target: AdminTarget;
  readonly alive = true;
  readonly #process: ServingProcess;
  readonly #logger: Logger;

  constructor(loaded: LoadedConfig, logger: Logger) {
    this.#process = new ServingProcess(loaded, logger);
    this.#logger = logger;
    this.target = proxyTarget(this.proxy);
  }

  get proxy(): ReverseProxy {
    return this.#process.proxy;
  }

  get urls(): readonly string[] {
    return this.#process.server.urls;
  }

  async start(inherit?: Inherit, beforeServing?: () => Promise<void>): Promise<void> {
    this.#process.openLog();
    await this.#process.startTracing();
    const inherited = await inherit?.();
    await orFailure(
      this.#process.server.listen({ ...(inherited && { inherited }), ...(beforeServing && { beforeServing }) }),
    );
  }

  async configure(loaded: LoadedConfig): Promise<ReloadChanges> {
    return this.#process.configure(loaded);
  }

  async status(): Promise<ServerStatus> {
    return this.#process.server.status();
  }

  get descriptors(): number {
    return this.#process.server.status().descriptors;
  }

  listeningSockets(): readonly ListeningHandle[] {
    return this.#process.server.listeningSockets();
  }

  reopenLog(): void {
    this.#process.reopenLog();
  }

  drain(options: DrainOptions): Promise<void> {
    const report = drainReport(this.#logger, () => this.proxy.snapshot());
    return this.#process.drain({ ...options, report });
  }

  close(): Promise<void> {
    return this.#process.close();
  }

  destroy(): Promise<void> {
    return this.#process.destroy();
  }
}
