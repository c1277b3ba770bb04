import type { Overview } from "@evenkeel/admin";
import { type Failure, messageOf } from "../failure.ts";
import { limits } from "../limits.ts";
import { drawFrame } from "./frame.ts";
import { Screen, type TerminalInput, type TerminalOutput } from "./screen.ts";
import { toAnsi } from "./styled-line.ts";
import { applyKey, type Extent, splitKeys, type View } from "./view.ts";

export interface LiveViewOptions {
  /** The URL of the admin API. */
  readonly admin: string;
  readonly view: View;
  readonly color: boolean;
}

/** Shows the samples of a proxy in a terminal, and lets the user sort, filter and scroll. */
export class LiveView {
  readonly #screen: Screen;
  readonly #options: LiveViewOptions;
  readonly #end: (error?: unknown) => void;
  readonly #tick: NodeJS.Timeout;
  #view: View;
  #overview: Overview;
  /** By the clock of `performance.now`. */
  #receivedAt = performance.now();
  #failure: Failure | undefined;
  #extent: Extent = { pools: [], upstreams: 0, page: 0 };

  /** Calls `end` when the user quits, when the terminal is gone, or with an error. `close` restores the terminal. */
  constructor(
    terminal: { readonly input: TerminalInput; readonly output: TerminalOutput },
    first: Overview,
    options: LiveViewOptions,
    end: (error?: unknown) => void,
  ) {
    this.#options = options;
    this.#view = options.view;
    this.#overview = first;
    this.#end = end;
    this.#screen = new Screen(terminal.input, terminal.output, {
      input: (text) => this.#onInput(text),
      resize: () => this.#draw(),
      gone: () => end(),
    });
    // The age of stale numbers grows without a sample.
    this.#tick = setInterval(() => this.#draw(), limits.topIntervalMs);
    this.#draw();
  }

  /** Shows a new sample, or that none could be had. */
  show(sample: Overview | Failure): void {
    if (sample instanceof Error) this.#failure = sample;
    else {
      this.#overview = sample;
      this.#receivedAt = performance.now();
      this.#failure = undefined;
    }
    this.#draw();
  }

  close(): void {
    clearInterval(this.#tick);
    this.#screen.close();
  }

  #onInput(text: string): void {
    for (const key of splitKeys(text)) {
      const next = applyKey(this.#view, key, this.#extent);
      if (next === "quit") return this.#end();
      this.#view = next;
    }
    this.#draw();
  }

  #draw(): void {
    try {
      const { admin, color } = this.#options;
      const ms = performance.now() - this.#receivedAt;
      const failure = this.#failure;
      const isStale = failure !== undefined || ms > limits.topStaleMs;
      const reason = failure === undefined ? "the admin API does not respond" : messageOf(failure);
      const stale = isStale ? { stale: { ms, reason } } : {};
      const frame = drawFrame({ overview: this.#overview, view: this.#view, admin, ...stale }, this.#screen.size);
      this.#extent = frame.extent;
      this.#screen.draw(frame.lines.map((line) => toAnsi(line, color)));
    } catch (error) {
      this.#end(error);
    }
  }
}
