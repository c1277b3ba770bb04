import type { ConnectionTable, ConnectionTableEvents } from "./connection-table.ts";
import type { ListenerEvents } from "./listener.ts";
import type { ServerEvents, ServerStatus } from "./server-events.ts";

type Emit = <Name extends keyof ServerEvents>(name: Name, ...args: ServerEvents[Name]) => void;

/** Counts the events of a server, and emits them. */
export class ServerCounts implements ListenerEvents, ConnectionTableEvents {
  readonly #emit: Emit;
  #refused = 0;
  #dropped = 0;
  #idleClosed = 0;
  #plainHttp = 0;
  #otherHandshakes = 0;
  #proxyHeaders = 0;
  #accepts = 0;

  constructor(emit: Emit) {
    this.#emit = emit;
  }

  status({ size: open, budget }: ConnectionTable, descriptors: number): ServerStatus {
    const [refused, dropped, idleClosed] = [this.#refused, this.#dropped, this.#idleClosed];
    return Object.freeze({
      connections: Object.freeze({ open, limit: budget.served, refused, dropped, idleClosed }),
      handshakeFailures: Object.freeze({ plainHttp: this.#plainHttp, other: this.#otherHandshakes }),
      proxyHeaderFailures: this.#proxyHeaders,
      acceptFailures: this.#accepts,
      descriptors,
    });
  }

  readonly refused = (): void => {
    this.#refused++;
    this.#emit("refused");
  };

  readonly dropped = (): void => {
    this.#dropped++;
    this.#emit("dropped");
  };

  readonly closedIdle = (count: number): void => {
    this.#idleClosed += count;
    this.#emit("idleClosed", count);
  };

  readonly handshakeFailed = (reason: "plain_http" | "other"): void => {
    if (reason === "plain_http") this.#plainHttp++;
    else this.#otherHandshakes++;
    this.#emit("handshakeFailed", reason);
  };

  readonly proxyHeaderFailed = (peer: string): void => {
    this.#proxyHeaders++;
    this.#emit("proxyHeaderFailed", peer);
  };

  readonly acceptFailed = (error: Error): void => {
    this.#accepts++;
    this.#emit("acceptFailed", error);
  };
}
