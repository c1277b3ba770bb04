import type { ConnectionOutput } from "./connection-output.ts";

/** Output of a response that waits for the responses to earlier requests. */
export class HeldOutput {
  readonly #maxBytes: number;
  #pieces: (string | Buffer)[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** More has to wait. */
  get full(): boolean {
    return this.#bytes >= this.#maxBytes;
  }

  /** Adds text in Latin-1. */
  add(text: string): void {
    this.#bytes += text.length;
    const last = this.#pieces.at(-1);
    if (typeof last === "string") this.#pieces[this.#pieces.length - 1] = last + text;
    else this.#pieces.push(text);
  }

  /** Adds a copy of data between two strings. */
  addData(before: string, data: Uint8Array | string, after: string): void {
    if (typeof data === "string") return this.add(before + data + after);
    if (before !== "") this.add(before);
    this.#bytes += data.length;
    this.#pieces.push(Buffer.from(data));
    if (after !== "") this.add(after);
  }

  sendTo(output: ConnectionOutput): void {
    for (const piece of this.#pieces) {
      if (typeof piece === "string") output.add(piece);
      else output.addData("", piece, "");
    }
  }
}
