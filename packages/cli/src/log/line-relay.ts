const newline = 0x0a;

/** The longest part of a line that is kept until its end arrives. A longer line is passed on in parts. */
const maxLineBytes = 1_048_576;

/** Passes on the output of another process in whole lines, so that the lines of several processes never mix. */
export class LineRelay {
  readonly #write: (lines: string) => void;
  #rest: Buffer[] = [];
  #restBytes = 0;

  /** `write` gets one or more lines with their ends. */
  constructor(write: (lines: string) => void) {
    this.#write = write;
  }

  push(chunk: Buffer): void {
    const end = chunk.lastIndexOf(newline) + 1;
    if (end > 0) {
      this.#write(Buffer.concat([...this.#rest, chunk.subarray(0, end)]).toString());
      this.#rest = [];
      this.#restBytes = 0;
    }
    if (end === chunk.length) return;
    this.#rest.push(chunk.subarray(end));
    this.#restBytes += chunk.length - end;
    if (this.#restBytes > maxLineBytes) this.end();
  }

  /** The output has ended: its last line may have no end. */
  end(): void {
    if (this.#rest.length > 0) this.#write(`${Buffer.concat(this.#rest).toString()}\n`);
    this.#rest = [];
    this.#restBytes = 0;
  }
}
