/** The tokens that requests and responses of the fuzzers share: fields, chunks with their extensions, and trailers. */

import type { Dice } from "./dice.ts";

const tokenCharacters = "abcXYZ019-_!#$%&'*+.^`|~";
export const valueCharacters = "abc XYZ\t019,;=\"'()/:<>?@[]{}\\\x80\xa0\xe4\xff";

export type Field = [name: string, value: string];

/** A field with one of these names or a random one, and one of these values or a random one. */
export function randomField(dice: Dice, names: readonly string[], values: readonly string[]): Field {
  const name = dice.of([...names, `x${dice.text(tokenCharacters, 12)}`]);
  return [name, dice.of([...values, dice.text(valueCharacters, 30).trim()])];
}

export function writeFields(tokens: string[], fields: readonly (readonly [string, string])[], dice: Dice): void {
  for (const [name, value] of fields) {
    const behind = /^(?:content-length|transfer-encoding)$/i.test(name) ? ["", "", " "] : ["", "", "", " ", "\t"];
    tokens.push(name, ":", dice.of([" ", " ", " ", "", "\t", "  "]), value, dice.of(behind), "\r\n");
  }
}

/** Puts a field at a random place. */
export function insertField(fields: Field[], added: Field, dice: Dice): void {
  fields.splice(dice.below(fields.length + 1), 0, added);
}

/** A chunked body and its trailers, made by `field`, which are returned. */
export function writeChunks(tokens: string[], body: string, dice: Dice, field: () => Field): string[] {
  let position = 0;
  while (position < body.length) {
    const data = body.slice(position, position + 1 + dice.below(40));
    const size = data.length.toString(16);
    tokens.push(dice.of([size, size, size.toUpperCase(), `0${size}`]), extension(dice), "\r\n", data, "\r\n");
    position += data.length;
  }
  tokens.push("0", extension(dice), "\r\n");
  const trailers = dice.chance(0.2) ? Array.from({ length: dice.below(3) }, field) : [];
  writeFields(tokens, trailers, dice);
  tokens.push("\r\n");
  return trailers.flat();
}

function extension(dice: Dice): string {
  return dice.chance(0.9) ? "" : dice.of([";a", ";a=b", ';a="b c"', ";a=b;c", ';x="\\"\xe4"']);
}

export function toBytes(tokens: readonly string[]): Buffer {
  return Buffer.from(tokens.join(""), "latin1");
}
