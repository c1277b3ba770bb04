/** A body of which a part waits for a window or the socket. */
export interface WaitingBody {
  readonly hasQueued: boolean;
  /** Sends one frame from the queue. False when a window or the socket does not allow it. */
  sendQueued(): boolean;
  onQueueEmpty(): void;
}

/** The bodies of a connection that wait for a window or the socket, in order. */
export class WaitingBodies<Body extends WaitingBody> {
  /** A round is running: each body may send one frame. */
  running = false;
  readonly #bodies = new Set<Body>();

  add(body: Body): void {
    this.#bodies.add(body);
  }

  delete(body: Body): void {
    this.#bodies.delete(body);
  }

  clear(): void {
    this.#bodies.clear();
  }

  /** Lets each body send one frame in turn, as long as the windows and the socket allow. False when there was none. */
  run(output: { readonly blocked: boolean }): boolean {
    if (this.running || this.#bodies.size === 0) return false;
    this.running = true;
    const emptied: Body[] = [];
    let progress = true;
    while (progress && !output.blocked && this.#bodies.size > 0) {
      progress = false;
      for (const body of [...this.#bodies]) {
        if (output.blocked) break;
        if (!body.hasQueued || body.sendQueued()) progress = true;
        if (body.hasQueued) continue;
        this.#bodies.delete(body);
        emptied.push(body);
      }
    }
    this.running = false;
    for (const body of emptied) body.onQueueEmpty();
    return true;
  }
}
