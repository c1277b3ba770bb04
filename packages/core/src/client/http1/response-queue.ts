import type { ExchangeConnection } from "./exchange-connection.ts";
import type { ServerExchange } from "./server-exchange.ts";

/**
 * The exchanges of a connection, in the order of their requests. The response to the first one is being sent; those behind it
 * hold theirs back.
 */
export class ResponseQueue {
  readonly #connection: ExchangeConnection;
  readonly #onSettled: () => void;
  /** Exchanges whose responses have not ended. */
  #open: ServerExchange[] = [];
  /** Exchanges whose responses have ended and are not written yet. */
  #ended: ServerExchange[] = [];
  /** How many of those each callback of the socket will report, in order. */
  #reported: number[] = [];
  #reportedTotal = 0;
  /** Exchanges behind the connection's last response. */
  #abandoned: readonly ServerExchange[] = [];
  /** The connection is being cut off with this exchange. */
  #cut: ServerExchange | undefined;
  /** All ended responses were written when the connection was cut off. */
  #endedSent = false;
  /** Bytes written when a client that may have left was sent nothing more. */
  #silentSince: number | undefined;
  /** The last response of the connection has ended. */
  #lastEnded = false;

  /** `onSettled` is called when responses were sent. */
  constructor(connection: ExchangeConnection, onSettled: () => void) {
    this.#connection = connection;
    this.#onSettled = onSettled;
  }

  get empty(): boolean {
    return this.#open.length === 0 && this.#ended.length === 0;
  }

  /** Exchanges whose responses have not ended. */
  get size(): number {
    return this.#open.length;
  }

  get front(): ServerExchange | undefined {
    return this.#open[0];
  }

  get newest(): ServerExchange | undefined {
    return this.#open.at(-1);
  }

  /** The last response of the connection was sent. */
  get lastSent(): boolean {
    return this.#lastEnded && this.#ended.length === 0;
  }

  add(exchange: ServerExchange): void {
    this.#open.push(exchange);
  }

  onEnded(exchange: ServerExchange): void {
    let front = this.front;
    if (front !== exchange) return;
    while (front?.state === "ended") {
      this.#open.shift();
      this.#ended.push(front);
      if (front.last) {
        this.#lastEnded = true;
        this.#abandoned = this.#open;
        this.#open = [];
        break;
      }
      front = this.front;
      front?.onFront();
    }
    this.#connection.output.schedule();
    if (front?.state === "cut") this.onCutOff(front);
  }

  /** Called at the end of a turn in which something was written: reports the responses that have left. */
  settle(): void {
    const { output, socket } = this.#connection;
    if (socket.destroyed || this.#ended.length === this.#reportedTotal) return;
    if (output.written && this.#reportedTotal === 0) return this.#report(this.#ended.length);
    const count = this.#ended.length - this.#reportedTotal;
    this.#reported.push(count);
    this.#reportedTotal += count;
    // Called back behind what was written before.
    socket.write("", this.#onWritten);
  }

  readonly #onWritten = (): void => {
    const count = this.#reported.shift() ?? 0;
    this.#reportedTotal -= count;
    if (!this.#connection.socket.destroyed) this.#report(count);
  };

  #report(count: number): void {
    if (count === 1 && this.#ended.length === 1) {
      const exchange = this.#ended.pop() as ServerExchange;
      exchange.close(true);
    } else for (const exchange of this.#ended.splice(0, count)) exchange.close(true);
    if (this.#ended.length === 0 && this.#cut !== undefined) this.#cutConnection(this.#cut);
    if (this.lastSent) this.#closeAbandoned();
    this.#onSettled();
  }

  /** Cuts the connection off once the exchange is the first one and earlier responses are written. */
  onCutOff(exchange: ServerExchange): void {
    // The end of its response is still to be written.
    if (this.#ended.includes(exchange)) return this.#cutConnection(exchange);
    if (this.front !== exchange) return;
    const { output } = this.#connection;
    output.writeText();
    if (this.#ended.length > 0 && !output.written) {
      this.#cut = exchange;
      output.schedule();
    } else this.#cutConnection(exchange);
  }

  /** An exchange whose client has ended within its request. */
  drop(exchange: ServerExchange): void {
    if (this.#open.includes(exchange)) exchange.cutOff();
  }

  /** The connection was taken over. */
  clear(): void {
    this.#open = [];
  }

  /** The client has ended its side. `late`: perhaps long ago, since the connection was not read. */
  onHalfClosed(late: boolean): void {
    this.#silentSince = !late && this.front?.state === "begun" ? this.#bytesWritten : undefined;
  }

  /**
   * Finds out whether a client that has ended its side still reads. One that has left looks the same until it is sent something.
   * A client that ends its side within a response has left, unless more of the response is sent, and so is one that receives a
   * stream of events: nothing else would end that.
   */
  probe(): void {
    const { socket } = this.#connection;
    const { front } = this;
    const written = this.#bytesWritten;
    const isSilent = written === this.#silentSince && socket.writableLength === 0;
    this.#silentSince = front?.state === "begun" && front.isEventStream ? written : undefined;
    if (isSilent) return void socket.destroy();
    front?.probe();
    // After a reset this fails.
    if (socket.writableLength === 0) socket.write("");
  }

  get #bytesWritten(): number {
    return (this.#connection.socket as { bytesWritten?: number }).bytesWritten ?? 0;
  }

  /** The connection has closed. */
  close(): void {
    const open = this.#open;
    const ended = this.#ended;
    this.#open = [];
    this.#ended = [];
    for (const exchange of ended) exchange.close(this.#endedSent);
    for (const exchange of open) exchange.close(false);
    this.#closeAbandoned();
  }

  #closeAbandoned(): void {
    const abandoned = this.#abandoned;
    this.#abandoned = [];
    for (const exchange of abandoned) exchange.close(false);
  }

  /**
   * Neither a last chunk nor all announced bytes were sent. Where only the end of the connection marks the end of the body
   * (HTTP/1.0), the connection is reset, since an orderly end would pass for a complete response.
   */
  #cutConnection(exchange: ServerExchange): void {
    this.#cut = exchange;
    const { socket, output } = this.#connection;
    this.#endedSent = output.written;
    if (exchange.httpVersion === "1.0") this.#connection.resetAfterData();
    else socket.destroy();
  }
}
