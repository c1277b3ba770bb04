/** A timer of a virtual clock. */
export interface VirtualTimer {
  readonly at: number;
  /** Breaks ties: of two timers due at the same time, the one created first runs first. */
  readonly order: number;
  readonly callback: () => void;
  /** Its index in the heap; -1 when it is in none. */
  index: number;
}

/** A binary heap of timers, the next one on top. Each timer stores its index, so that `remove` is O(log n). */
export class TimerHeap {
  readonly #timers: VirtualTimer[] = [];

  get size(): number {
    return this.#timers.length;
  }

  get first(): VirtualTimer | undefined {
    return this.#timers[0];
  }

  add(timer: VirtualTimer): void {
    this.#siftUp(timer, this.#timers.length);
  }

  /** Does nothing when the timer is not in this heap. */
  remove(timer: VirtualTimer): void {
    const { index } = timer;
    if (this.#timers[index] !== timer) return;
    timer.index = -1;
    const last = this.#timers.pop() as VirtualTimer;
    if (last === timer) return;
    const parent = this.#timers[(index - 1) >> 1];
    if (index > 0 && isBefore(last, parent as VirtualTimer)) this.#siftUp(last, index);
    else this.#siftDown(last, index);
  }

  /** Puts a timer at the free index or above it. Later parents move down. */
  #siftUp(timer: VirtualTimer, free: number): void {
    let index = free;
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = this.#timers[above] as VirtualTimer;
      if (!isBefore(timer, parent)) break;
      this.#put(parent, index);
      index = above;
    }
    this.#put(timer, index);
  }

  /** Puts a timer at the free index or below it. Earlier children move up. */
  #siftDown(timer: VirtualTimer, free: number): void {
    let index = free;
    for (;;) {
      let below = 2 * index + 1;
      const left = this.#timers[below];
      const right = this.#timers[below + 1];
      if (left === undefined) break;
      if (right !== undefined && isBefore(right, left)) below++;
      const child = this.#timers[below] as VirtualTimer;
      if (!isBefore(child, timer)) break;
      this.#put(child, index);
      index = below;
    }
    this.#put(timer, index);
  }

  #put(timer: VirtualTimer, index: number): void {
    this.#timers[index] = timer;
    timer.index = index;
  }
}

function isBefore(one: VirtualTimer, other: VirtualTimer): boolean {
  return one.at === other.at ? one.order < other.order : one.at < other.at;
}
