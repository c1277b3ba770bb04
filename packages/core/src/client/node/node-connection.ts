import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { limits } from "../../config/defaults.ts";
import type { ErrorCode } from "../../errors.ts";
import { type Clock, systemClock } from "../../runtime/clock.ts";
import { Pipelining } from "./pipelining.ts";

/** A request of which more is to be received. */
interface IncompleteRequest {
  readonly bodyComplete: boolean;
  onParseError(code: ErrorCode): void;
}

const connections = new WeakMap<Duplex, NodeConnection>();

/** The connection of a socket; undefined while the proxy has seen no request on it. */
export function findConnection(socket: Duplex): NodeConnection | undefined {
  return connections.get(socket);
}

export function connectionOf(socket: Duplex): NodeConnection {
  let connection = connections.get(socket);
  if (connection === undefined) {
    connection = new NodeConnection(socket as Socket);
    connections.set(socket, connection);
  }
  return connection;
}

/** What the proxy knows of one connection of a client to Node's HTTP server. */
export class NodeConnection {
  readonly socket: Socket;
  /** The last response on the connection is being sent or was sent: nothing received from now on is a request. */
  ending = false;
  /** A parse error was handled. Node may report more. */
  faulty = false;
  /** The request of which more is to be received, at most one: the client sends the next one behind it. */
  incomplete: IncompleteRequest | undefined;
  #pipelining: Pipelining | undefined;
  /** Callbacks of pipelined requests whose responses have no socket yet. */
  #onClose: Set<() => void> | undefined;

  constructor(socket: Socket) {
    this.socket = socket;
  }

  get pipelining(): Pipelining {
    this.#pipelining ??= new Pipelining(this.socket);
    return this.#pipelining;
  }

  /** Reports a parse error to the request that is incomplete. False if the proxy has none, or has already responded to it. */
  failIncomplete(code: ErrorCode): boolean {
    const { incomplete } = this;
    this.incomplete = undefined;
    if (incomplete === undefined || incomplete.bodyComplete) return false;
    incomplete.onParseError(code);
    return true;
  }

  forget(request: IncompleteRequest): void {
    if (this.incomplete === request) this.incomplete = undefined;
  }

  /** Calls back when the connection closes. One listener on the socket serves all requests that a client has pipelined. */
  onClose(callback: () => void): void {
    if (this.#onClose === undefined) {
      const callbacks = new Set<() => void>();
      this.#onClose = callbacks;
      this.socket.once("close", () => {
        for (const call of callbacks) call();
      });
    }
    this.#onClose.add(callback);
  }

  offClose(callback: () => void): void {
    this.#onClose?.delete(callback);
  }

  /**
   * Closes the connection after a response that is sent before the request was received to its end. Node closes such a
   * connection itself when the response is finished, through `destroySoon`: this replaces it by `endLingering`.
   */
  lingerOnClose(clock: Clock): void {
    if (this.ending) return;
    this.ending = true;
    this.socket.destroySoon = () => this.endLingering(clock);
  }

  /**
   * Closes the connection after its last response. A close with unread bytes resets the connection, and a reset makes the
   * client's kernel drop the response. So the connection is half-closed first, and what the client still sends is read and
   * dropped, within limits of time and bytes (nginx: lingering_close).
   */
  endLingering(clock: Clock): void {
    const { socket } = this;
    this.ending = true;
    socket.end();
    const timer = clock.setTimeout(() => socket.destroy(), limits.lingeringMs);
    socket.once("close", () => clock.clearTimeout(timer));
    socket.once("end", () => socket.destroy());
    this.dropInput(() => socket.destroy());
    socket.resume();
  }

  /** Resets the connection. Some readers, Node among them, take a reset that arrives together with data for an orderly end. */
  resetAfterData(clock: Clock): void {
    const { socket } = this;
    socket.pause();
    clock.setTimeout(() => {
      try {
        socket.resetAndDestroy();
      } catch {
        // Only TCP has a reset. Over TLS the missing close alert says the same; a unix socket has nothing like it.
        socket.destroy();
      }
    }, limits.resetDelayMs);
  }

  /** Takes the input away from Node's parser and drops it. `onLimit` is called when it is more than a client may send. */
  dropInput(onLimit: () => void): void {
    const { socket } = this;
    const until = socket.bytesRead + limits.lingeringBytes;
    socket.removeAllListeners("data");
    socket.on("data", () => {
      if (socket.bytesRead > until) onLimit();
    });
  }
}

/** Closes a connection after its last response, as `NodeConnection.endLingering` does. For adapters that write to a socket. */
export function endLingering(socket: Socket, clock: Clock = systemClock): void {
  connectionOf(socket).endLingering(clock);
}
