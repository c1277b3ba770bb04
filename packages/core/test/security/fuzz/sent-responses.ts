/** What an upstream has really said, and so what a client may take for a whole answer. */

import { type Field, StrictError } from "../../support/strict-http.ts";
import { framingOf, readSentBody, readSentHead } from "./sent-message.ts";

export interface SentResponse {
  /** Nothing is missing and nothing is out of grammar up to the end of the answer. */
  readonly complete: boolean;
  /** Something is out of grammar. */
  readonly broken: boolean;
  readonly status: number;
  readonly fields: readonly Field[];
  readonly body: Buffer;
  readonly trailers: readonly Field[];
}

const nothing: SentResponse = {
  complete: false,
  broken: false,
  status: 0,
  fields: [],
  body: Buffer.alloc(0),
  trailers: [],
};

/** Reads the final answer to a request with this method. `ended`: the connection has come to an orderly end behind it. */
export function readSentResponse(bytes: Buffer, method: string, ended: boolean): SentResponse {
  try {
    return readFinal(bytes, method, ended);
  } catch (error) {
    if (!(error instanceof StrictError)) throw error;
    return { ...nothing, broken: true };
  }
}

function readFinal(bytes: Buffer, method: string, ended: boolean): SentResponse {
  for (let position = 0; ; ) {
    const head = readSentHead(bytes, position);
    if (head === undefined) return nothing;
    const line = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/.exec(head.startLine);
    if (line === null) throw new StrictError("a status line out of grammar");
    const [, minor, status = 0] = line.map(Number);
    const { fields } = head;
    position = head.end;
    if (status < 200 && status !== 101) continue;
    const framing = framingOf(fields, minor ?? 1);
    if (method === "HEAD" || status === 101 || status === 204 || status === 304)
      return { ...nothing, complete: true, status, fields };
    if (framing === undefined) return { ...nothing, complete: ended, status, fields, body: bytes.subarray(position) };
    const { complete, violation, body, trailers } = readSentBody(bytes, position, framing);
    return { complete, broken: violation !== undefined, status, fields, body, trailers };
  }
}
