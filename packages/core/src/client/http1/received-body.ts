/** Receives the body of a request. */
export interface BodyReceiver {
  onBodyData(data: Buffer): void;
  onBodyEnd(): void;
  /** The number of bytes that wait for the receiver has changed by this much. */
  onHeldChanged(bytes: number): void;
}

/**
 * The body of a request between the parser and the receiver. What is received while it is not read waits here; the connection
 * stops reading when that is too much.
 */
export class ReceivedBody {
  /** It was received to its end. */
  complete = false;
  /** Bytes that were read or dropped. */
  bytes = 0;
  readonly #receiver: BodyReceiver;
  #held: Buffer[] = [];
  /** The place in `#held` of the next data to deliver. */
  #next = 0;
  #reading = false;
  #dropping = false;
  #ended = false;
  #scheduled = false;

  constructor(receiver: BodyReceiver) {
    this.#receiver = receiver;
  }

  /** The receiver takes what comes. */
  get flowing(): boolean {
    return (this.#reading || this.#dropping) && !this.complete;
  }

  add(data: Buffer): void {
    if (this.#dropping) this.bytes += data.length;
    else if (this.#isOpen) this.#deliver(data);
    else {
      this.#held.push(data);
      this.#receiver.onHeldChanged(data.length);
    }
  }

  end(): void {
    this.complete = true;
    if (this.#isOpen) this.#end();
  }

  /** What is held follows in a call of its own. */
  read(): void {
    this.#reading = true;
    if (this.#scheduled || this.#ended || !(this.complete || this.#held.length > 0)) return;
    this.#scheduled = true;
    process.nextTick(this.#deliverHeld);
  }

  pause(): void {
    this.#reading = false;
  }

  /** The receiver gets no more of it. */
  drop(): void {
    this.#dropping = true;
    for (let data = this.#takeHeld(); data !== undefined; data = this.#takeHeld()) this.bytes += data.length;
  }

  /** Nothing waits in front of what comes. */
  get #isOpen(): boolean {
    return this.#reading && !this.#dropping && !this.#scheduled && this.#held.length === 0;
  }

  readonly #deliverHeld = (): void => {
    this.#scheduled = false;
    while (this.#reading && !this.#dropping) {
      const data = this.#takeHeld();
      if (data === undefined) break;
      this.#deliver(data);
    }
    if (this.complete && this.#isOpen) this.#end();
  };

  #takeHeld(): Buffer | undefined {
    const data = this.#held[this.#next];
    if (data === undefined) return undefined;
    this.#next++;
    if (this.#next === this.#held.length) {
      this.#held = [];
      this.#next = 0;
    }
    this.#receiver.onHeldChanged(-data.length);
    return data;
  }

  #deliver(data: Buffer): void {
    this.bytes += data.length;
    this.#receiver.onBodyData(data);
  }

  #end(): void {
    if (this.#ended || this.#dropping) return;
    this.#ended = true;
    this.#receiver.onBodyEnd();
  }
}
