import type { Duplex } from "node:stream";
import { limits } from "../config/defaults.ts";
import type { UpstreamAddress } from "../config/resolved.ts";

/** Client connections for which an upstream connection that may be authenticated is kept: see connection-authentication.ts. */
export class AuthenticatedClients {
  readonly #connections = new Map<Duplex, Map<UpstreamAddress, () => void>>();
  #count = 0;

  /** Whether any upstream connection is kept for a client connection. */
  knows(client: Duplex): boolean {
    return this.#connections.size > 0 && this.#connections.has(client);
  }

  /** Whether a connection to this upstream is kept for a client connection. */
  has(client: Duplex, address: UpstreamAddress): boolean {
    return this.#connections.get(client)?.has(address) === true;
  }

  /** Records a kept connection. `onEnd` is called when the client connection closes. False when no more may be kept. */
  keep(client: Duplex, address: UpstreamAddress, onEnd: () => void): boolean {
    if (client.destroyed) return false;
    const kept = this.#connections.get(client);
    if (kept?.has(address) === true) return true;
    if (this.#count >= limits.authenticatedConnections) return false;
    this.#count++;
    if (kept !== undefined) kept.set(address, onEnd);
    else {
      this.#connections.set(client, new Map([[address, onEnd]]));
      client.once("close", () => this.#onClosed(client));
    }
    return true;
  }

  /** Records that the connection is no longer kept. */
  forget(client: Duplex, address: UpstreamAddress): void {
    const kept = this.#connections.get(client);
    if (kept?.delete(address) !== true) return;
    this.#count--;
  }

  #onClosed(client: Duplex): void {
    const kept = this.#connections.get(client) ?? new Map<UpstreamAddress, () => void>();
    this.#connections.delete(client);
    this.#count -= kept.size;
    for (const onEnd of kept.values()) onEnd();
  }
}
