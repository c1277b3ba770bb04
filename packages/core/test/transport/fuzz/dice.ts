import type { Random } from "../../../src/runtime/random.ts";

/** Chance with the shapes that a grammar asks for. */
export class Dice {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  chance(probability: number): boolean {
    return this.#random() < probability;
  }

  of<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T;
  }

  text(alphabet: string, most: number): string {
    return Array.from({ length: this.below(most + 1) }, () => this.of([...alphabet])).join("");
  }
}
