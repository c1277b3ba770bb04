import { connect, type Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { detectReset } from "../../src/transport/http1/detect-reset.ts";
import { readResponse, StrictError, type StrictResponse, valuesOf } from "./strict-http.ts";

/** How bytes are cut into packets. */
export type Packets = "one packet" | "byte by byte" | "line by line";
export const everyPackets: readonly Packets[] = ["one packet", "byte by byte", "line by line"];

export type End = "end" | "reset";

/** A client that sends exact bytes and reads what comes back to the letter. */
export class StrictClient {
  readonly socket: Socket;
  /** With room for more, so that an answer in many pieces is not copied for each of them. */
  #bytes: Buffer = Buffer.alloc(1_024);
  #length = 0;
  how: End | undefined;
  /** The moment of the end. */
  endedAt = 0;
  readonly #changed = new Set<() => void>();
  /** The complete responses so far, and the place behind them. */
  readonly #read = { responses: [] as StrictResponse[], informational: [] as StrictResponse[] };
  #position = 0;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (chunk) => {
      this.#append(chunk);
      this.#check();
    });
    socket.on("end", () => this.#end(detectReset(socket) ? "reset" : "end"));
    socket.on("error", () => this.#end("reset"));
    socket.on("close", () => this.#end("reset"));
  }

  static async to(port: number): Promise<StrictClient> {
    return StrictClient.over(connect({ port, host: "127.0.0.1", allowHalfOpen: true }), "connect");
  }

  /** A client over a socket that is connecting; `ready` is the event that it emits next. */
  static async over(socket: Socket, ready: "connect" | "secureConnect"): Promise<StrictClient> {
    const client = new StrictClient(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once(ready, resolve).once("error", reject);
    });
    return client;
  }

  /** Everything that has come. */
  get received(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  get text(): string {
    return this.received.toString("latin1");
  }

  /** Sends bytes as packets, each seen by the other side before the next is sent; stops when the connection has ended. */
  async send(bytes: Buffer, packets: Packets): Promise<void> {
    for (const piece of split(bytes, packets)) {
      if (this.how !== undefined) return;
      this.socket.write(piece);
      if (packets !== "one packet") await nextTurn();
    }
  }

  /** Resolves with true as soon as the condition holds; with false when it never can, or the time is over. */
  when(condition: () => boolean, timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (result: boolean) => {
        clearTimeout(timer);
        this.#changed.delete(check);
        resolve(result);
      };
      const check = () => {
        if (condition()) settle(true);
        else if (this.how !== undefined) settle(false);
      };
      const timer = setTimeout(() => settle(false), timeoutMs);
      this.#changed.add(check);
      check();
    });
  }

  /** Reads what has come as responses to requests of these methods, the rest to GETs. */
  read(methods: readonly string[]): Reading {
    const { responses, informational } = this.#read;
    let rest: StrictResponse | undefined;
    try {
      // Behind a 101 there is no HTTP.
      while (this.#position < this.received.length && responses.at(-1)?.status !== 101) {
        const method = methods[responses.length] ?? "GET";
        const found = readResponse(this.received, this.#position, method, this.how === "end");
        if (found === undefined) break;
        if (!found.complete) {
          rest = found;
          break;
        }
        (found.status < 200 && found.status !== 101 ? informational : responses).push(found);
        this.#position = found.end;
      }
    } catch (error) {
      if (!(error instanceof StrictError)) throw error;
      return { responses, informational, violation: error.message, partial: "" };
    }
    const partial = rest === undefined && responses.at(-1)?.status !== 101;
    return {
      responses: rest === undefined ? responses : [...responses, rest],
      informational,
      violation: undefined,
      partial: partial ? this.received.toString("latin1", this.#position) : "",
    };
  }

  #append(chunk: Buffer): void {
    const length = this.#length + chunk.length;
    if (length > this.#bytes.length) this.#bytes = Buffer.concat([this.received], length * 2);
    chunk.copy(this.#bytes, this.#length);
    this.#length = length;
  }

  #end(how: End): void {
    if (this.how === undefined) this.endedAt = performance.now();
    this.how ??= how;
    this.#check();
  }

  #check(): void {
    for (const check of this.#changed) check();
  }
}

/** What a client was told. */
export interface Reading {
  /** Final responses; the last may be incomplete. */
  readonly responses: readonly StrictResponse[];
  readonly informational: readonly StrictResponse[];
  /** What does not parse. */
  readonly violation: string | undefined;
  /** Bytes that begin a head but do not end it. */
  readonly partial: string;
}

/** Whether a response tells that the connection ends with it. */
export function saysClose({ fields }: Pick<StrictResponse, "fields">): boolean {
  return valuesOf(fields, "connection").some((value) => /(?:^|[\s,])close(?:$|[\s,])/i.test(value));
}

function split(bytes: Buffer, packets: Packets): Buffer[] {
  if (packets === "one packet") return [bytes];
  const pieces: Buffer[] = [];
  for (let start = 0, end = 0; start < bytes.length; start = end) {
    const lineEnd = bytes.indexOf("\r\n", start, "latin1");
    if (packets === "byte by byte") end = start + 1;
    else end = lineEnd === -1 ? bytes.length : lineEnd + 2;
    pieces.push(bytes.subarray(start, end));
  }
  return pieces;
}
