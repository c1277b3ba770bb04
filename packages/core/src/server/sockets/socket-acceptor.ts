import type { Socket } from "node:net";
import { OptionsError } from "../../config/issues.ts";
import { type ListenAddress, parseListenAddress } from "../../config/listen-address.ts";
import { backgroundClock, inBackground } from "../../runtime/async-context.ts";
import { systemClock } from "../../runtime/clock.ts";
import type { FindInherited } from "./inherited-socket.ts";
import { type ListeningHandle, toListenTargets } from "./listen.ts";
import { ListeningSocket } from "./listening-socket.ts";

/** As in `ListenOptions`. */
export interface AcceptOptions {
  readonly inherited?: FindInherited;
  readonly beforeServing?: () => Promise<void>;
}

export interface SocketAcceptorOptions {
  /** As the option of a server. */
  readonly listen: string | readonly string[];
  /** For the URLs: the processes that serve the connections use TLS. Default: false. */
  readonly tls?: boolean;
}

export interface SocketAcceptorEvents {
  /** A connection to the address with this index. The socket is paused, and nothing was read from it. */
  readonly accepted: (index: number, socket: Socket) => void;
  /** The system could not accept a connection. */
  readonly acceptFailed: (error: Error) => void;
}

/** Accepts connections for `Server.accept` of other processes. */
export class SocketAcceptor {
  readonly #addresses: readonly ListenAddress[];
  readonly #sockets: readonly ListeningSocket[];
  readonly #scheme: "http" | "https";
  readonly #clock = backgroundClock(systemClock);
  #stopped: Promise<void> | undefined;

  constructor({ listen, tls = false }: SocketAcceptorOptions, { accepted, acceptFailed }: SocketAcceptorEvents) {
    this.#scheme = tls ? "https" : "http";
    this.#addresses = [listen].flat().map(parse);
    this.#sockets = this.#addresses.map((_, index) => {
      const options = { pauseOnConnect: true, allowHalfOpen: true };
      return new ListeningSocket(options, { accepted: (socket) => accepted(index, socket), acceptFailed });
    });
  }

  /** As `Server.listen`. */
  async listen({ inherited, beforeServing }: AcceptOptions = {}): Promise<this> {
    const targets = toListenTargets(this.#addresses);
    const opening = this.#sockets.map((socket, index) => {
      const address = this.#addresses[index] as ListenAddress;
      return inBackground(() => socket.open(targets[index] ?? address, inherited?.(address)));
    });
    try {
      for (const outcome of await Promise.allSettled(opening)) if (outcome.status === "rejected") throw outcome.reason;
      await beforeServing?.();
      for (const socket of this.#sockets) inBackground(() => socket.publish());
    } catch (error) {
      this.close();
      throw error;
    }
    return this;
  }

  /** The URLs of the addresses, with the ports that the system chose; "unix:" and a path for a Unix socket. */
  get urls(): readonly string[] {
    return this.#sockets.map((socket) => socket.url(this.#scheme));
  }

  /** The listening sockets that another process can take over: TCP sockets, and Unix sockets that this process has inherited. */
  listeningSockets(): readonly ListeningHandle[] {
    return this.#sockets.flatMap(({ handle }) => handle ?? []);
  }

  /**
   * Stops accepting, after the connections that the system has queued; if the sockets were handed over to another process, it
   * accepts the queued ones.
   */
  stop({ handedOver = false }: { readonly handedOver?: boolean } = {}): Promise<void> {
    this.#stopped ??= this.#stop(handedOver);
    return this.#stopped;
  }

  /** Stops accepting at once. */
  close(): void {
    for (const socket of this.#sockets) void socket.close();
  }

  async #stop(handedOver: boolean): Promise<void> {
    await Promise.all(
      this.#sockets.map((socket) => (handedOver ? socket.handOver(this.#clock) : socket.stop(this.#clock))),
    );
  }
}

/** Throws an `OptionsError`. */
function parse(text: string): ListenAddress {
  const address = parseListenAddress(text);
  if (typeof address !== "string") return address;
  throw new OptionsError([{ path: ["listen"], message: address }]);
}
