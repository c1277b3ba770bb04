/** A timer of a virtual clock. */
export interface VirtualTimer {
  readonly at: number;
  /** Of two that fall due together, the one made first runs first. */
  readonly order: number;
  readonly callback: () => void;
  /** Where it is in its heap; -1 when it is in none. */
  place: number;
}

/**
 * A binary heap of timers, the next one on top. Each knows its place, so that one that is cleared is taken out at once
 * and leaves nothing behind.
 */
export class TimerHeap {
  readonly #timers: VirtualTimer[] = [];

  get size(): number {
    return this.#timers.length;
  }

  get first(): VirtualTimer | undefined {
    return this.#timers[0];
  }

  add(timer: VirtualTimer): void {
    this.#rise(timer, this.#timers.length);
  }

  /** Nothing happens when it is not in here. */
  remove(timer: VirtualTimer): void {
    const { place } = timer;
    if (this.#timers[place] !== timer) return;
    timer.place = -1;
    const last = this.#timers.pop() as VirtualTimer;
    if (last === timer) return;
    const parent = this.#timers[(place - 1) >> 1];
    if (place > 0 && isBefore(last, parent as VirtualTimer)) this.#rise(last, place);
    else this.#sink(last, place);
  }

  /** Puts a timer where `place` is free, or above it: parents that come later move down. */
  #rise(timer: VirtualTimer, free: number): void {
    let place = free;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = this.#timers[above] as VirtualTimer;
      if (!isBefore(timer, parent)) break;
      this.#put(parent, place);
      place = above;
    }
    this.#put(timer, place);
  }

  /** Puts a timer where `place` is free, or below it: children that come earlier move up. */
  #sink(timer: VirtualTimer, free: number): void {
    let place = free;
    for (;;) {
      let below = 2 * place + 1;
      const left = this.#timers[below];
      const right = this.#timers[below + 1];
      if (left === undefined) break;
      if (right !== undefined && isBefore(right, left)) below++;
      const child = this.#timers[below] as VirtualTimer;
      if (!isBefore(child, timer)) break;
      this.#put(child, place);
      place = below;
    }
    this.#put(timer, place);
  }

  #put(timer: VirtualTimer, place: number): void {
    this.#timers[place] = timer;
    timer.place = place;
  }
}

function isBefore(one: VirtualTimer, other: VirtualTimer): boolean {
  return one.at === other.at ? one.order < other.order : one.at < other.at;
}
