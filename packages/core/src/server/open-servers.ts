import type { ServerOptions } from "../config/options/server-options.ts";
import type { Clock } from "../runtime/clock.ts";
import { limits } from "./limits.ts";
import { createServer, type ServedProxy, type Server, type ServerChanges } from "./server.ts";

/** The servers that a proxy has opened, and that close with it. */
export class OpenServers {
  readonly #servers = new Set<Server>();
  #closed: Promise<unknown> = Promise.resolve();

  async open(proxy: ServedProxy, listen: ServerOptions["listen"], options: ServerChanges): Promise<Server> {
    const server = createServer(proxy, { ...options, listen });
    this.#servers.add(server);
    try {
      return await server.listen();
    } catch (error) {
      this.#servers.delete(server);
      throw error;
    }
  }

  get size(): number {
    return this.#servers.size;
  }

  /** Stops accepting connections, and lets every connection close after its next response. */
  async stop(graceMs: number): Promise<void> {
    const servers = [...this.#servers];
    await Promise.all(servers.map((server) => server.stopAccepting()));
    this.#closed = Promise.all(servers.map((server) => server.finish(graceMs)));
  }

  /** Waits until the last responses are sent and every connection is closed; after a while it closes those that are left. */
  async end(clock: Clock): Promise<void> {
    const timer = clock.setTimeout(() => {
      for (const server of this.#servers) server.destroy();
    }, limits.settleMs);
    await this.#closed;
    clock.clearTimeout(timer);
  }
}
