import { type PatternNode, parsePattern } from "./parse-pattern.ts";

/** The most instructions of a program. Each character of a text costs at most one step per instruction. */
const maxInstructions = 150;

const tooLarge = `the pattern is too large: more than ${maxInstructions} instructions, with repetitions expanded`;

const operation = { char: 0, split: 1, jump: 2, assertion: 3, match: 4 } as const;

interface Instruction {
  readonly code: (typeof operation)[keyof typeof operation];
  /** The next instructions of `split` (both) and `jump` (`x`). */
  x: number;
  y: number;
  readonly matcher?: CharMatcher;
  readonly at?: "start" | "end" | "word" | "not-word";
}

/**
 * A regular expression that matches in time linear in the length of the text. It follows all alternatives at the same time
 * (Thompson's construction, as in RE2) and never backtracks. The text comes from an upstream, and JavaScript's RegExp needs
 * quadratic time for patterns as simple as `\s*x`.
 */
export class LinearPattern {
  readonly source: string;
  readonly #program: Program;

  /** Throws a `SyntaxError` for an invalid pattern, and an `Error` for one that is unsupported or too large. */
  constructor(source: string) {
    new RegExp(source);
    this.source = source;
    this.#program = new Program(compile(parsePattern(source)));
  }

  /** Whether the pattern matches anywhere in the text, like `RegExp.test` without flags. */
  test(text: string): boolean {
    return this.#program.matches(text);
  }
}

/** The instructions in flat arrays: faster to step through for each character than objects. */
class Program {
  readonly #instructions: readonly Instruction[];
  readonly #codes: Uint8Array;
  readonly #x: Int32Array;
  readonly #y: Int32Array;
  /** 256 entries for each instruction: 1 for the characters below 256 that it matches. */
  readonly #accepts: Uint8Array;
  /** For each instruction, the stamp (position + 1) of the last list that it was added to. */
  readonly #stamps: Int32Array;
  readonly #stack: Int32Array;

  constructor(instructions: readonly Instruction[]) {
    const { length } = instructions;
    this.#instructions = instructions;
    this.#codes = Uint8Array.from(instructions, ({ code }) => code);
    this.#x = Int32Array.from(instructions, ({ x }) => x);
    this.#y = Int32Array.from(instructions, ({ y }) => y);
    this.#accepts = new Uint8Array(length * 256);
    for (const [index, { matcher }] of instructions.entries()) {
      if (matcher !== undefined) this.#accepts.set(matcher.first256, index * 256);
    }
    this.#stamps = new Int32Array(length);
    // Each instruction is added to a list once, and pushes at most two others.
    this.#stack = new Int32Array(2 * length + 1);
  }

  matches(text: string): boolean {
    this.#stamps.fill(0);
    let current: List = { items: new Int32Array(this.#codes.length), length: 0 };
    let next: List = { items: new Int32Array(this.#codes.length), length: 0 };
    for (let position = 0; ; position++) {
      if (this.#add(0, text, position, current)) return true;
      if (position === text.length) return false;
      if (this.#step(text, position, current, next)) return true;
      [current, next] = [next, current];
      next.length = 0;
    }
  }

  /** Consumes one character. Returns true if the pattern has matched. */
  #step(text: string, position: number, current: List, next: List): boolean {
    const char = text.charCodeAt(position);
    for (let at = 0; at < current.length; at++) {
      const index = current.items[at] as number;
      const accepts =
        char < 256
          ? this.#accepts[index * 256 + char] === 1
          : this.#instructions[index]?.matcher?.accepts(char) === true;
      if (accepts && this.#add(index + 1, text, position + 1, next)) return true;
    }
    return false;
  }

  /** Adds the instructions reachable without consuming a character. Returns true if `match` is one of them. */
  #add(start: number, text: string, position: number, list: List): boolean {
    const stamp = position + 1;
    let depth = 0;
    this.#stack[depth++] = start;
    while (depth > 0) {
      const index = this.#stack[--depth] as number;
      if (this.#stamps[index] === stamp) continue;
      this.#stamps[index] = stamp;
      const code = this.#codes[index];
      if (code === operation.char) list.items[list.length++] = index;
      else if (code === operation.match) return true;
      else if (code === operation.assertion) {
        if (assertionHolds(this.#instructions[index]?.at, text, position)) this.#stack[depth++] = index + 1;
      } else {
        if (code === operation.split) this.#stack[depth++] = this.#y[index] as number;
        this.#stack[depth++] = this.#x[index] as number;
      }
    }
    return false;
  }
}

/** The `char` instructions to try on the next character. */
interface List {
  readonly items: Int32Array;
  length: number;
}

/** Matches single characters, by JavaScript's RegExp. */
class CharMatcher {
  readonly #pattern: RegExp;
  readonly first256: Uint8Array;

  constructor(text: string) {
    this.#pattern = new RegExp(`^${text}$`);
    this.first256 = Uint8Array.from({ length: 256 }, (_, char) => Number(this.accepts(char)));
  }

  accepts(char: number): boolean {
    return this.#pattern.test(String.fromCharCode(char));
  }
}

function assertionHolds(at: Instruction["at"], text: string, position: number): boolean {
  if (at === "start") return position === 0;
  if (at === "end") return position === text.length;
  const boundary = isWord(text.charCodeAt(position - 1)) !== isWord(text.charCodeAt(position));
  return boundary === (at === "word");
}

/** `\w` without flags. NaN, the code outside of the text, is not a word character. */
function isWord(char: number): boolean {
  return (char >= 48 && char <= 57) || (char >= 65 && char <= 90) || char === 95 || (char >= 97 && char <= 122);
}

function compile(pattern: PatternNode): readonly Instruction[] {
  const program: Instruction[] = [];
  const matchers = new Map<string, CharMatcher>();
  const add = (instruction: Instruction): Instruction => {
    program.push(instruction);
    if (program.length > maxInstructions) throw new Error(tooLarge);
    return instruction;
  };
  const matcherOf = (text: string): CharMatcher => {
    const matcher = matchers.get(text) ?? new CharMatcher(text);
    matchers.set(text, matcher);
    return matcher;
  };

  const emit = (node: PatternNode): void => {
    if (node.kind === "char") add({ code: operation.char, x: 0, y: 0, matcher: matcherOf(node.text) });
    else if (node.kind === "assertion") add({ code: operation.assertion, x: 0, y: 0, at: node.at });
    else if (node.kind === "sequence") node.items.forEach(emit);
    else if (node.kind === "choice") emitChoice(node.items);
    else emitRepeat(node.item, node.min, node.max);
  };
  const emitChoice = (items: readonly PatternNode[]): void => {
    const jumps: Instruction[] = [];
    for (const [index, item] of items.entries()) {
      const isLast = index === items.length - 1;
      const split = isLast ? undefined : add({ code: operation.split, x: program.length + 1, y: 0 });
      emit(item);
      if (split === undefined) continue;
      jumps.push(add({ code: operation.jump, x: 0, y: 0 }));
      split.y = program.length;
    }
    for (const jump of jumps) jump.x = program.length;
  };
  const emitRepeat = (item: PatternNode, min: number, max: number): void => {
    for (let count = 0; count < min; count++) emitCounted(item);
    if (max === Infinity) {
      const start = program.length;
      const split = add({ code: operation.split, x: start + 1, y: 0 });
      emit(item);
      add({ code: operation.jump, x: start, y: 0 });
      split.y = program.length;
      return;
    }
    const splits: Instruction[] = [];
    for (let count = min; count < max; count++) {
      splits.push(add({ code: operation.split, x: program.length + 1, y: 0 }));
      emit(item);
    }
    for (const split of splits) split.y = program.length;
  };
  /** Bounds the repetitions of an empty group, which add no instruction. */
  let emptyCopies = 0;
  const emitCounted = (item: PatternNode): void => {
    const before = program.length;
    emit(item);
    if (program.length === before && ++emptyCopies > maxInstructions) {
      throw new Error(tooLarge);
    }
  };

  emit(pattern);
  add({ code: operation.match, x: 0, y: 0 });
  return program;
}
