import { expect } from "vitest";
import type { HeadLimits } from "../../src/config/resolved.ts";
import type { ErrorCode } from "../../src/errors.ts";
import { Http1Error } from "../../src/http1/http1-error.ts";
import type { ResponseHead } from "../../src/transport/http1/response-head.ts";
import { ResponseParser } from "../../src/transport/http1/response-parser.ts";
import { TransportError } from "../../src/transport/transport-error.ts";

/** What a pool allows of a response's head unless it says otherwise. */
export const usualHead: HeadLimits = { bytes: 16_384, fields: 200 };

/** Everything that a parser has said about some bytes. */
export interface Verdict {
  informations: [status: number, headers: readonly string[]][];
  head: ResponseHead | undefined;
  /** In Latin-1. */
  body: string;
  trailers: readonly string[];
  complete: boolean;
  /** Bytes that belong to the response; undefined when it was refused. */
  consumed: number | undefined;
  code: ErrorCode | undefined;
}

export interface FeedOptions {
  readonly method?: string;
  /** The upstream ends its side behind the bytes. */
  readonly end?: boolean;
}

/** Gives a fresh parser the pieces one by one, and stops where it does. */
export function feed(pieces: readonly Buffer[], options: FeedOptions = {}): Verdict & { readonly reason: string } {
  const verdict: Verdict & { reason: string } = {
    informations: [],
    head: undefined,
    body: "",
    trailers: [],
    complete: false,
    consumed: undefined,
    code: undefined,
    reason: "",
  };
  const parser = new ResponseParser(
    {
      onInformation: (status, headers) => verdict.informations.push([status, headers]),
      onHead: (head) => {
        verdict.head = head;
      },
      onData: (data) => {
        verdict.body += data.toString("latin1");
      },
      onComplete: (trailers) => {
        verdict.trailers = trailers;
        verdict.complete = true;
      },
    },
    usualHead,
  );
  parser.expect(options.method ?? "GET");
  try {
    verdict.consumed = run(parser, pieces, options.end ?? false);
  } catch (error) {
    if (!(error instanceof Http1Error || error instanceof TransportError)) throw error;
    const { code, message } = TransportError.from(error);
    verdict.code = code;
    verdict.reason = message;
  }
  return verdict;
}

function run(parser: ResponseParser, pieces: readonly Buffer[], end: boolean): number {
  let consumed = 0;
  for (const piece of pieces) {
    const taken = parser.execute(piece);
    consumed += taken;
    if (taken < piece.length) return consumed;
  }
  if (end) parser.finish();
  return consumed;
}

/** The bytes whole, one by one, and cut in two at every position. */
function everySplit(bytes: Buffer): Buffer[][] {
  const splits = [[bytes], [...bytes].map((_, index) => bytes.subarray(index, index + 1))];
  for (let cut = 1; cut < bytes.length; cut++) splits.push([bytes.subarray(0, cut), bytes.subarray(cut)]);
  return splits;
}

/** The verdict on a text in Latin-1, which has to be the same for every split of it. */
export function judge(text: string, options: FeedOptions = {}): Verdict {
  const [whole, ...others] = everySplit(Buffer.from(text, "latin1")).map((pieces) => {
    const { reason, ...verdict } = feed(pieces, options);
    return verdict;
  });
  for (const [index, verdict] of others.entries()) expect(verdict, `split ${index}`).toEqual(whole);
  return whole as Verdict;
}

/** The code that a text is refused with, in every split; undefined when it is not. */
export function refusal(text: string, options: FeedOptions = {}): ErrorCode | undefined {
  return judge(text, options).code;
}
