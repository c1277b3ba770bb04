/**
 * Headers in their order, repetition and case, as they are sent. What hooks get to read and to change.
 *
 * Names are compared without regard to case. Values are not checked here but where they are sent: one that could end a
 * line makes the request fail, and nothing of it leaves.
 */
export class HeaderList implements Iterable<readonly [name: string, value: string]> {
  #raw: string[];

  /** Takes names and values by turns, and makes the list its own. */
  constructor(raw: string[]) {
    this.#raw = raw;
  }

  /** Names and values by turns. */
  get raw(): string[] {
    return this.#raw;
  }

  /** The first value of that name. */
  get(name: string): string | undefined {
    return this.getAll(name)[0];
  }

  getAll(name: string): string[] {
    const lower = name.toLowerCase();
    return this.#raw.filter((_, index) => index % 2 === 1 && this.#raw[index - 1]?.toLowerCase() === lower);
  }

  has(name: string): boolean {
    return this.getAll(name).length > 0;
  }

  /** Replaces every value of that name by one, at the end of the list. */
  set(name: string, value: string): void {
    this.delete(name);
    this.append(name, value);
  }

  append(name: string, value: string): void {
    this.#raw.push(name, value);
  }

  delete(name: string): void {
    const lower = name.toLowerCase();
    this.#raw = this.#raw.filter((_, index) => this.#raw[index - (index % 2)]?.toLowerCase() !== lower);
  }

  *[Symbol.iterator](): Iterator<readonly [name: string, value: string]> {
    for (let index = 0; index < this.#raw.length; index += 2) {
      yield [this.#raw[index] as string, this.#raw[index + 1] as string];
    }
  }
}
