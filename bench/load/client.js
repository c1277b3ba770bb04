import net from "node:net";

/**
 * One kept-alive connection with one request at a time. It reconnects when the server has closed the connection, and accepts only
 * complete 200 responses with a Content-Length: anything else is a failure.
 */
export class Client {
  #port;
  #onAnswer;
  #onFailure;
  #socket;
  /** The incomplete head. */
  #held;
  /** Remaining bytes of the body; undefined before the head is complete. */
  #left;
  #closes = false;
  #busy = false;

  constructor(port, onAnswer, onFailure) {
    this.#port = port;
    this.#onAnswer = onAnswer;
    this.#onFailure = onFailure;
  }

  send(request) {
    this.#busy = true;
    this.#held = undefined;
    this.#left = undefined;
    this.#socket ??= this.#connect();
    this.#socket.write(request);
  }

  close() {
    this.#busy = false;
    this.#socket?.destroy();
  }

  #connect() {
    const socket = net.connect({ port: this.#port, host: "127.0.0.1", noDelay: true });
    socket.on("data", (bytes) => this.#read(bytes));
    socket.on("error", (error) => this.#onFailure(error));
    socket.on("close", () => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      if (this.#busy) this.#onFailure(new Error("closed before the answer was whole"));
    });
    return socket;
  }

  #read(bytes) {
    if (this.#left !== undefined) {
      this.#left -= bytes.length;
    } else {
      this.#held = this.#held === undefined ? bytes : Buffer.concat([this.#held, bytes]);
      const end = this.#held.indexOf("\r\n\r\n");
      if (end === -1) return;
      const head = this.#held.latin1Slice(0, end);
      const length = /content-length: (\d+)/i.exec(head)?.[1];
      if (!head.startsWith("HTTP/1.1 200") || length === undefined) return this.#onFailure(new Error(head));
      this.#left = Number(length) - (this.#held.length - end - 4);
      this.#closes = /connection: close/i.test(head);
    }
    if (this.#left > 0) return;
    this.#busy = false;
    if (this.#closes) {
      this.#socket.destroy();
      this.#socket = undefined;
    }
    this.#onAnswer(this);
  }
}
