/**
 * Responses from a grammar, and what goes wrong with them.
 *
 * A response is made as a list of tokens, so that a fault falls on something that means something: a size, a colon, a line
 * end. A well-formed one comes with the result that parsers have to read from it.
 */

import type { Random } from "../../../src/runtime/random.ts";
import { Dice } from "./dice.ts";
import { allFaults } from "./faults.ts";
import {
  type Field,
  insertField,
  randomField,
  toBytes,
  valueCharacters,
  writeChunks,
  writeFields,
} from "./message-tokens.ts";

export interface Case {
  readonly method: "GET" | "HEAD";
  readonly bytes: Buffer;
  /** What a response says that is well formed; undefined when faults were put in. */
  readonly expected: Expected | undefined;
}

export interface Expected {
  readonly status: number;
  readonly statusText: string;
  readonly headers: readonly string[];
  readonly body: string;
  readonly trailers: readonly string[];
}

/** Makes one response: as it should be, or with up to four faults. */
export function generate(random: Random): Case {
  const dice = new Dice(random);
  const method = dice.chance(0.1) ? "HEAD" : "GET";
  const { tokens, expected } = wellFormed(dice, method);
  if (dice.chance(0.3)) return { method, bytes: toBytes(tokens), expected };
  for (let faults = 1 + dice.below(dice.chance(0.7) ? 1 : 4); faults > 0; faults--) dice.of(allFaults)(tokens, dice);
  const text = tokens.join("");
  const cut = dice.chance(0.1) ? dice.below(text.length + 1) : text.length;
  return { method, bytes: toBytes([text.slice(0, cut)]), expected: undefined };
}

/** Cuts bytes at random: most often a few times, sometimes everywhere. */
export function randomSplit(bytes: Buffer, random: Random): Buffer[] {
  const dice = new Dice(random);
  if (bytes.length < 200 && dice.chance(0.05)) return [...bytes].map((_, index) => bytes.subarray(index, index + 1));
  const cuts = Array.from({ length: dice.below(6) }, () => dice.below(bytes.length + 1)).sort((a, b) => a - b);
  return [...cuts, bytes.length]
    .map((end, index) => bytes.subarray(index === 0 ? 0 : cuts[index - 1], end))
    .filter(({ length }) => length > 0);
}

const statuses = [200, 200, 200, 201, 204, 206, 301, 304, 304, 400, 404, 413, 500, 503, 599];

function wellFormed(dice: Dice, method: string): { tokens: string[]; expected: Expected } {
  const status = dice.of(statuses);
  const bodiless = method === "HEAD" || status === 204 || status === 304;
  const http10 = dice.chance(0.1);
  const framing = dice.of(http10 ? ["length", "close"] : ["length", "length", "chunked", "chunked", "close"]);
  const statusText = dice.of(["OK", "", "Not Found", "I'm a teapot", dice.text(valueCharacters, 10).trim()]);
  const body = bodiless ? "" : dice.text(`${valueCharacters}\r\n\0HTTP/1.1 200 OK`, dice.of([0, 1, 20, 300]));
  const fields = Array.from({ length: dice.below(6) }, () => field(dice));
  if (framing === "chunked") insertField(fields, ["Transfer-Encoding", dice.of(["chunked", "Chunked"])], dice);
  if (framing === "length" && !(bodiless && dice.chance(0.5))) {
    const length = bodiless && status !== 204 ? dice.below(100) : body.length;
    insertField(fields, [dice.of(["Content-Length", "content-length"]), String(length)], dice);
  }
  if (dice.chance(0.2)) insertField(fields, ["Connection", dice.of(["close", "keep-alive", "Keep-Alive, x"])], dice);

  const tokens: string[] = [];
  while (dice.chance(0.05)) interim(tokens, dice);
  tokens.push(
    "HTTP/",
    http10 ? "1.0" : "1.1",
    " ",
    String(status),
    ...(statusText === "" ? dice.of([[" "], []]) : [" ", statusText]),
  );
  tokens.push("\r\n");
  writeFields(tokens, fields, dice);
  tokens.push("\r\n");
  const trailers = !bodiless && framing === "chunked" ? writeChunks(tokens, body, dice, () => field(dice)) : [];
  if (!bodiless && framing !== "chunked") tokens.push(body);
  const headers = fields.flat();
  return { tokens, expected: { status, statusText, headers, body, trailers } };
}

function interim(tokens: string[], dice: Dice): void {
  tokens.push("HTTP/1.1", " ", dice.of(["100", "102", "103"]), " ", "Wait", "\r\n");
  writeFields(
    tokens,
    Array.from({ length: dice.below(3) }, () => field(dice)),
    dice,
  );
  tokens.push("\r\n");
}

function field(dice: Dice): Field {
  return randomField(
    dice,
    ["Server", "Set-Cookie", "set-cookie", "X-Y", "Date", "Via"],
    ["", "a=b; c", "Tue, 15 Nov 1994 08:12:31 GMT"],
  );
}
