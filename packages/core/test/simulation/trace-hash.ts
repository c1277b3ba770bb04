/** A hash of all events in order. */
export class TraceHash {
  #hash = 0x811c9dc5;

  add(event: string, id: string): void {
    for (const text of [event, id]) {
      for (let index = 0; index < text.length; index++) {
        this.#hash = Math.imul(this.#hash ^ text.charCodeAt(index), 0x01000193);
      }
    }
  }

  get value(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, "0");
  }
}
