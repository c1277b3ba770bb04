import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** The proxy writes a response head in one piece unless a listener may read its headers. A listener with this mark does not. */
const passiveListener = Symbol.for("evenkeel.passiveListener");

/** One client connection with its requests in flight. */
export class ClientConnection {
  static readonly #bySocket = new WeakMap<Socket, ClientConnection>();
  static readonly #onClose = Object.assign(
    function (this: ServerResponse): void {
      const connection = ClientConnection.#bySocket.get(this.req.socket);
      if (connection !== undefined) connection.#end(this);
    },
    { [passiveListener]: true },
  );
  readonly socket: Socket;
  /** It has sent a request. */
  requested = false;
  /** It has become a tunnel, or has sent an upgrade. */
  upgraded = false;
  /** The time since which it has had no request in flight, on the monotonic clock. */
  idleSince: number = performance.now();
  /** In the order of their requests, in which they also end. A set would keep removed responses from garbage collection. */
  readonly #active: ServerResponse[] = [];
  #closing = false;

  constructor(socket: Socket) {
    this.socket = socket;
    ClientConnection.#bySocket.set(socket, this);
  }

  /** It has not sent a byte of HTTP yet. */
  get receivedNothing(): boolean {
    return this.socket.bytesRead === 0;
  }

  /** It has no request in flight. A request with an incomplete head does not count. */
  get idle(): boolean {
    return this.#active.length === 0 && !this.upgraded;
  }

  begin(res: ServerResponse): void {
    this.requested = true;
    this.#active.push(res);
    res.on("close", ClientConnection.#onClose);
    if (this.#closing) res.shouldKeepAlive = false;
  }

  #end(res: ServerResponse): void {
    const index = this.#active.indexOf(res);
    if (index !== -1) this.#active.splice(index, 1);
    if (this.#active.length === 0) this.idleSince = performance.now();
  }

  /** Further responses say `Connection: close`. */
  closeAfterResponse(): void {
    this.#closing = true;
    for (const res of this.#active) {
      if (!res.headersSent) res.shouldKeepAlive = false;
    }
  }
}
