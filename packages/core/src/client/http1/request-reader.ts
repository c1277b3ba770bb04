import type { Duplex } from "node:stream";
import { limits as fixed } from "../../config/defaults.ts";
import { inBackground } from "../../runtime/async-context.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { ServerConnectionOptions } from "../server/server-connection.ts";
import type { ServerLimits } from "../server/server-limits.ts";
import { BodyRate } from "./body-rate.ts";
import type { ConnectionDeadline } from "./connection-deadline.ts";
import { RequestFault } from "./request-fault.ts";
import type { RequestHead } from "./request-head.ts";
import { RequestParser } from "./request-parser.ts";
import type { ServerExchange } from "./server-exchange.ts";

export interface RequestOwner {
  /** No request is in flight. */
  readonly free: boolean;
  /** No further head is to be read before a response has ended, or the client has taken what it was sent. */
  readonly crowded: boolean;
  onHead(head: RequestHead): void;
  /** The rest of the input cannot be understood. `receiving`: the request whose body it is in. */
  onFault(fault: RequestFault, receiving: ServerExchange | undefined): void;
  onBodyReceived(): void;
  /** What was kept is parsed. */
  onCaughtUp(): void;
}

export type ReaderSetup = Pick<ServerConnectionOptions, "limits" | "clock">;

/**
 * Reads the requests of a connection, one after another, and pauses its socket while they are too many or too large. Behind the
 * last one, what is received is kept for a tunnel or dropped.
 */
export class RequestReader {
  readonly #socket: Duplex;
  readonly #limits: ServerLimits;
  readonly #clock: Clock;
  readonly #deadline: ConnectionDeadline;
  readonly #owner: RequestOwner;
  readonly #parser: RequestParser;
  /** The request whose body is being received. Its response may have been sent. */
  #receiving: ServerExchange | undefined;
  #rate: BodyRate | undefined;
  /** No further head is read. */
  #final = false;
  /** What is received behind the last request belongs to a tunnel. */
  #keepsEarly = false;
  /** What is received is dropped as fast as the client sends it. */
  #draining = false;
  /** Received bytes that are not parsed yet. */
  #rest: Buffer | undefined;
  /** A handshake that waits for the responses to earlier requests. */
  #deferred: RequestHead | undefined;
  #early: Buffer[] = [];
  #earlyBytes = 0;
  /** Bytes of request bodies that wait for their handlers. */
  #heldBytes = 0;
  #droppedBytes = 0;
  #flowing = true;
  #continuing = false;
  #stopped = false;

  constructor(socket: Duplex, { limits, clock }: ReaderSetup, deadline: ConnectionDeadline, owner: RequestOwner) {
    this.#socket = socket;
    this.#limits = limits;
    this.#clock = clock;
    this.#deadline = deadline;
    this.#owner = owner;
    this.#parser = new RequestParser(limits.headBytes);
  }

  get receiving(): ServerExchange | undefined {
    return this.#receiving;
  }

  /** The last request was received to its end. */
  get finished(): boolean {
    return this.#final && this.#receiving === undefined;
  }

  get waiting(): boolean {
    return this.#rest !== undefined || this.#deferred !== undefined;
  }

  get withinRequest(): boolean {
    return this.#receiving !== undefined || this.#parser.withinHead;
  }

  start(): void {
    this.#socket.on("data", this.#onData);
  }

  /** The request whose head was read last is the last one. `tunnel`: what follows belongs to a tunnel. */
  finish(tunnel = false): void {
    this.#final = true;
    this.#keepsEarly ||= tunnel;
  }

  dropAll(): void {
    this.#final = true;
    this.#draining = true;
    this.#receiving = undefined;
    this.#rate = undefined;
    this.#rest = undefined;
    this.#updateFlow();
  }

  /** Takes the listener off the socket, and returns what was received behind the last request. */
  stop(): Buffer {
    this.#stopped = true;
    this.#socket.off("data", this.#onData);
    return Buffer.concat(this.#early);
  }

  /** The input has ended. Returns the request that is incomplete. */
  end(): ServerExchange | undefined {
    const receiving = this.#receiving;
    this.#final = true;
    this.#receiving = undefined;
    return receiving;
  }

  expectBody(exchange: ServerExchange, length: number): void {
    this.#receiving = exchange;
    const { minBodyRate } = this.#limits;
    this.#rate = length > 0 && minBodyRate > 0 ? new BodyRate(minBodyRate) : undefined;
  }

  defer(head: RequestHead): void {
    this.#deferred = head;
  }

  takeDeferred(): RequestHead | undefined {
    const head = this.#deferred;
    this.#deferred = undefined;
    return head;
  }

  onBodyFlow(exchange: ServerExchange): void {
    if (exchange !== this.#receiving) return;
    // The rest of a body behind its response delays the next request.
    if (this.#rate === undefined && exchange.state === "closed") this.#deadline.start("body", this.#limits.keepAliveMs);
    else this.#updateRate();
  }

  onHeldChanged(bytes: number): void {
    this.#heldBytes += bytes;
    if (bytes > 0 || this.#flowing || this.#stopped) return;
    if (this.#rest !== undefined) this.continueLater();
    else this.#updateFlow();
  }

  /** Parses what is kept, in a turn of its own: a client that has sent thousands of requests takes only its share of each turn. */
  continueLater(): void {
    if (this.#continuing || !this.waiting) return;
    this.#continuing = true;
    // Called in the context of the request that has ended, to which the next one does not belong.
    inBackground(() => setImmediate(this.#continue));
  }

  onHeadDeadline(): void {
    if (!this.#parser.withinHead) return void this.#socket.destroy();
    this.#fail(new RequestFault("request_timeout", "the head is late", this.#parser.partialLine));
  }

  onBodyDeadline(): void {
    const now = this.#clock.now();
    const remaining = this.#rate?.remainingMs(now) ?? 0;
    if (remaining > 0) this.#deadline.start("body", remaining, now);
    else this.#fail(new RequestFault("request_timeout", "the body is too slow"));
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#rest !== undefined) this.#rest = Buffer.concat([this.#rest, chunk]);
    else this.#parse(chunk);
  };

  #parse(bytes: Buffer): void {
    let position = 0;
    for (let heads = 0; position < bytes.length; ) {
      if (this.#receiving !== undefined) position = this.#readBody(this.#receiving, bytes, position);
      else if (this.#final || heads > fixed.pipelinedRequests || this.#mustWait) break;
      else {
        position = this.#readHead(bytes, position);
        heads++;
      }
    }
    if (position < bytes.length) this.#keep(position === 0 ? bytes : bytes.subarray(position));
    this.#updateFlow();
  }

  get #mustWait(): boolean {
    return this.#deferred !== undefined || this.#heldBytes >= fixed.heldRequestBytes || this.#owner.crowded;
  }

  #keep(bytes: Buffer): void {
    if (!this.finished) {
      this.#rest = bytes;
      // The responses to what was parsed may have been sent already.
      if (this.#owner.free && !this.#owner.crowded) this.continueLater();
    } else if (this.#keepsEarly) {
      this.#early.push(bytes);
      this.#earlyBytes += bytes.length;
    } else {
      this.#droppedBytes += bytes.length;
      if (this.#draining && this.#droppedBytes > fixed.lingeringBytes) this.#socket.destroy();
    }
  }

  #readHead(bytes: Buffer, start: number): number {
    const within = this.#parser.withinHead;
    let end: number;
    try {
      end = this.#parser.readHead(bytes, start);
    } catch (error) {
      this.#fail(RequestFault.from(error));
      return bytes.length;
    }
    const { head } = this.#parser;
    if (head !== undefined) {
      this.#parser.head = undefined;
      this.#deadline.stop();
      this.#owner.onHead(head);
    } else if (!within && this.#parser.withinHead) this.#deadline.start("head", this.#limits.requestHeadersMs);
    return end;
  }

  #readBody(exchange: ServerExchange, bytes: Buffer, start: number): number {
    let end: number;
    try {
      end = this.#parser.readBody(bytes, start, this.#onBodyData);
    } catch (error) {
      this.#fail(RequestFault.from(error));
      return bytes.length;
    }
    if (!this.#parser.bodyDone) return end;
    this.#receiving = undefined;
    this.#rate = undefined;
    this.#deadline.stop();
    exchange.body?.end();
    this.#owner.onBodyReceived();
    return end;
  }

  readonly #onBodyData = (data: Buffer): void => {
    this.#rate?.add(data.length);
    this.#receiving?.body?.add(data);
  };

  #fail(fault: RequestFault): void {
    const receiving = this.end();
    this.#rate = undefined;
    this.#deadline.stop();
    this.#owner.onFault(fault, receiving);
    this.#updateFlow();
  }

  readonly #continue = (): void => {
    this.#continuing = false;
    if (this.#socket.destroyed || this.#draining || this.#stopped) return;
    if (this.#deferred !== undefined && !this.#owner.free) return;
    const deferred = this.takeDeferred();
    if (deferred !== undefined) this.#owner.onHead(deferred);
    const rest = this.#rest;
    this.#rest = undefined;
    if (rest === undefined) this.#updateFlow();
    else this.#parse(rest);
    if (!this.waiting) this.#owner.onCaughtUp();
  };

  #updateFlow(): void {
    const flows = this.#wantsData;
    if (flows !== this.#flowing) {
      this.#flowing = flows;
      if (flows) this.#socket.resume();
      else this.#socket.pause();
    }
    this.#updateRate();
  }

  get #wantsData(): boolean {
    if (this.#draining) return true;
    if (!this.finished) return !this.waiting && this.#heldBytes < fixed.heldRequestBytes;
    return this.#keepsEarly ? this.#earlyBytes < fixed.heldUpgradeBytes : this.#droppedBytes < fixed.lingeringBytes;
  }

  /** The rate of a body counts while it is read. */
  #updateRate(): void {
    const rate = this.#rate;
    const reads = this.#receiving?.body?.flowing === true && this.#flowing;
    if (rate === undefined || rate.reading === reads) return;
    const now = this.#clock.now();
    if (reads) {
      rate.start(now);
      this.#deadline.start("body", rate.remainingMs(now), now);
    } else {
      rate.stop(now);
      this.#deadline.stop();
    }
  }
}
