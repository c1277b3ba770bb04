import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** The proxy writes the head of a response in one piece unless a listener may read its headers. One with this mark does not. */
const passiveListener = Symbol.for("evenkeel.passiveListener");

/** One connection of a client, and the requests on it that are not finished. */
export class Connection {
  static readonly #bySocket = new WeakMap<Socket, Connection>();
  static readonly #onClose = Object.assign(
    function (this: ServerResponse): void {
      const connection = Connection.#bySocket.get(this.req.socket);
      if (connection !== undefined) connection.#end(this);
    },
    { [passiveListener]: true },
  );
  readonly socket: Socket;
  /** It has brought a request. */
  asked = false;
  /** It has become a tunnel, or is about to. */
  upgraded = false;
  /** Since when it has had no request in flight, on the monotonic clock. */
  idleSince: number = performance.now();
  /** In the order of their requests, which is that of their ends. A set would keep what has left it from being collected. */
  readonly #active: ServerResponse[] = [];
  #closing = false;

  constructor(socket: Socket) {
    this.socket = socket;
    Connection.#bySocket.set(socket, this);
  }

  /** Has not brought a byte of HTTP yet. */
  get silent(): boolean {
    return this.socket.bytesRead === 0;
  }

  /** Has no request in flight. One whose head is still incomplete is none. */
  get idle(): boolean {
    return this.#active.length === 0 && !this.upgraded;
  }

  begin(res: ServerResponse): void {
    this.asked = true;
    this.#active.push(res);
    res.on("close", Connection.#onClose);
    if (this.#closing) res.shouldKeepAlive = false;
  }

  #end(res: ServerResponse): void {
    const index = this.#active.indexOf(res);
    if (index !== -1) this.#active.splice(index, 1);
    if (this.#active.length === 0) this.idleSince = performance.now();
  }

  /** Answers tell the client from now on that the connection ends with them. */
  closeAfterAnswer(): void {
    this.#closing = true;
    for (const res of this.#active) {
      if (!res.headersSent) res.shouldKeepAlive = false;
    }
  }
}
