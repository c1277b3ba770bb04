import type { ReadStream, WriteStream } from "node:tty";

/** The parts of a terminal that a screen uses. */
export type TerminalInput = Pick<ReadStream, "setRawMode" | "setEncoding" | "on" | "off" | "resume" | "pause">;
export type TerminalOutput = Pick<WriteStream, "write" | "on" | "off" | "columns" | "rows" | "writableNeedDrain">;

export interface ScreenEvents {
  /** The user has pressed keys. */
  readonly input: (text: string) => void;
  readonly resize: () => void;
  /** The terminal is gone. */
  readonly gone: () => void;
}

/** The alternate screen, without a cursor, and without wrapping: a character that is wider than expected breaks no line. */
const enter = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const leave = "\x1b[?7h\x1b[?25h\x1b[?1049l";
/** Terminals that know synchronized updates show a frame only when it is complete. */
const beginFrame = "\x1b[?2026h\x1b[H";
const endFrame = "\x1b[J\x1b[?2026l";

/** A terminal in full-screen mode. `close` restores it. */
export class Screen {
  readonly #input: TerminalInput;
  readonly #output: TerminalOutput;
  readonly #events: ScreenEvents;
  #open = true;
  /** The last frame drawn at this size. */
  #drawn = "";

  constructor(input: TerminalInput, output: TerminalOutput, events: ScreenEvents) {
    this.#input = input;
    this.#output = output;
    this.#events = events;
    input.setRawMode(true);
    input.setEncoding("utf8");
    input.on("data", this.#onData);
    input.on("end", events.gone);
    input.on("error", events.gone);
    output.on("resize", this.#onResize);
    output.on("error", events.gone);
    input.resume();
    output.write(enter);
  }

  /** A terminal that does not report its size counts as one of 80 by 24. */
  get size(): { readonly columns: number; readonly rows: number } {
    const { columns, rows } = this.#output;
    return { columns: columns > 0 ? columns : 80, rows: rows > 0 ? rows : 24 };
  }

  /** Replaces what the screen shows. A frame is left out while a slow terminal has not taken the last one. */
  draw(lines: readonly string[]): void {
    const frame = lines.map((line) => `${line}\x1b[K`).join("\r\n");
    if (!this.#open || this.#output.writableNeedDrain || frame === this.#drawn) return;
    this.#drawn = frame;
    this.#output.write(`${beginFrame}${frame}${endFrame}`);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#input.off("data", this.#onData);
    this.#input.off("end", this.#events.gone);
    this.#output.off("resize", this.#onResize);
    this.#output.write(leave);
    try {
      this.#input.setRawMode(false);
    } catch {
      // The terminal is gone.
    }
    this.#input.pause();
  }

  readonly #onResize = (): void => {
    this.#drawn = "";
    this.#events.resize();
  };

  readonly #onData = (text: string): void => {
    this.#events.input(text);
  };
}
