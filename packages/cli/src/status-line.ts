const clearLine = "\r\x1b[2K";

/** A status line at the bottom of the terminal, redrawn in place below other output. */
export class StatusLine {
  #text = "";
  readonly #write: (text: string) => void;

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  /** Replaces the line. An empty text removes it. */
  show(text: string): void {
    if (text === this.#text) return;
    this.#text = text;
    this.#write(`${clearLine}${text}`);
  }

  /** Prints whole lines above the status line. */
  print(lines: string): void {
    this.#write(`${this.#text === "" ? "" : clearLine}${lines}${this.#text}`);
  }
}
