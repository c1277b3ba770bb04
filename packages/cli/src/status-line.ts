const clearLine = "\r\x1b[2K";

/** A last line of the terminal that is redrawn in place, below whatever else is printed. */
export class StatusLine {
  #text = "";
  readonly #write: (text: string) => void;

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  /** Replaces the line. Empty removes it. */
  show(text: string): void {
    if (text === this.#text) return;
    this.#text = text;
    this.#write(`${clearLine}${text}`);
  }

  /** Prints whole lines above it. */
  print(lines: string): void {
    this.#write(`${this.#text === "" ? "" : clearLine}${lines}${this.#text}`);
  }
}
