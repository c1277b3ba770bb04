/**
 * A reader of HTTP/1.1 that accepts nothing but what the grammar of RFC 9112 has, and nothing that it lets readers put up
 * with. Tests hold what the proxy sends against it, both ways; it shares no code with the proxy.
 */

/** What is wrong with bytes that should be a message. */
export class StrictError extends Error {}

export type Field = readonly [name: string, value: string];

interface Message {
  /** In Latin-1, with its empty line. */
  readonly head: string;
  readonly fields: readonly Field[];
  readonly body: Buffer;
  readonly trailers: readonly Field[];
  /** All of its body has come. */
  readonly complete: boolean;
  /** The place behind it. */
  readonly end: number;
}

export interface StrictRequest extends Message {
  readonly method: string;
  readonly target: string;
}

export interface StrictResponse extends Message {
  readonly status: number;
  /** Only the end of the connection marks the end of its body. */
  readonly untilClose: boolean;
}

/** Reads the request that begins at `start`. Undefined while its head has not come whole. */
export function readRequest(bytes: Buffer, start: number): StrictRequest | undefined {
  const head = readHead(bytes, start);
  if (head === undefined) return undefined;
  const line = /^([!#$%&'*+\-.^_`|~\w]+) ([/*][\x21-\x7e]*) HTTP\/1\.1$/.exec(head.startLine);
  if (line === null) throw new StrictError(`a request line out of grammar: ${JSON.stringify(head.startLine)}`);
  const [, method = "", target = ""] = line;
  if (valuesOf(head.fields, "host").length !== 1) throw new StrictError("not exactly one Host");
  const framing = framingOf(head.fields) ?? 0;
  return { ...head, method, target, ...readBody(bytes, head.end, framing) };
}

/** Reads the response that begins at `start`. `ended` tells that nothing more will come. */
export function readResponse(bytes: Buffer, start: number, method: string, ended: boolean): StrictResponse | undefined {
  const head = readHead(bytes, start);
  if (head === undefined) return undefined;
  const line = /^HTTP\/1\.1 ([1-9]\d\d) [\t\x20-\x7e\x80-\xff]*$/.exec(head.startLine);
  if (line === null) throw new StrictError(`a status line out of grammar: ${JSON.stringify(head.startLine)}`);
  const status = Number(line[1]);
  const framing = framingOf(head.fields);
  if ((status < 200 || status === 204) && framing !== undefined) throw new StrictError(`framing in a ${status}`);
  const bodiless = method === "HEAD" || status < 200 || status === 204 || status === 304;
  if (bodiless) return { ...head, status, untilClose: false, ...readBody(bytes, head.end, 0) };
  if (framing !== undefined) return { ...head, status, untilClose: false, ...readBody(bytes, head.end, framing) };
  const body = { body: bytes.subarray(head.end), trailers: [], complete: ended, end: bytes.length };
  return { ...head, status, untilClose: true, ...body };
}

/** The values of a field, whatever the case of its name. */
export function valuesOf(fields: readonly Field[], name: string): string[] {
  return fields.filter(([other]) => other.toLowerCase() === name).map(([, value]) => value);
}

type Head = { startLine: string; head: string; fields: Field[]; end: number };

function readHead(bytes: Buffer, start: number): Head | undefined {
  const end = bytes.indexOf("\r\n\r\n", start);
  if (end === -1) return undefined;
  const text = bytes.toString("latin1", start, end);
  const [startLine = "", ...lines] = text.split("\r\n");
  return { startLine, head: `${text}\r\n\r\n`, fields: lines.map(readField), end: end + 4 };
}

function readField(line: string): Field {
  const match =
    /^([!#$%&'*+\-.^_`|~\w]+):[\t ]*((?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)[\t ]*$/.exec(
      line,
    );
  if (match === null) throw new StrictError(`a field out of grammar: ${JSON.stringify(line)}`);
  return [match[1] ?? "", match[2] ?? ""];
}

/** A length, -1 for chunks, or undefined when nothing is said. */
function framingOf(fields: readonly Field[]): number | undefined {
  const lengths = valuesOf(fields, "content-length");
  const codings = valuesOf(fields, "transfer-encoding");
  if (lengths.length + codings.length > 1) throw new StrictError("framed more than once");
  if (lengths[0] !== undefined) {
    if (!/^(?:0|[1-9]\d{0,14})$/.test(lengths[0])) throw new StrictError(`a length out of grammar: ${lengths[0]}`);
    return Number(lengths[0]);
  }
  if (codings[0] === undefined) return undefined;
  if (codings[0] !== "chunked") throw new StrictError(`a coding that is not chunked: ${codings[0]}`);
  return -1;
}

function readBody(
  bytes: Buffer,
  start: number,
  framing: number,
): Pick<Message, "body" | "trailers" | "complete" | "end"> {
  if (framing === -1) return readChunks(bytes, start);
  const end = Math.min(bytes.length, start + framing);
  return { body: bytes.subarray(start, end), trailers: [], complete: end === start + framing, end };
}

function readChunks(bytes: Buffer, start: number): Pick<Message, "body" | "trailers" | "complete" | "end"> {
  const chunks: Buffer[] = [];
  const incomplete = () => ({ body: Buffer.concat(chunks), trailers: [], complete: false, end: bytes.length });
  for (let position = start; ; ) {
    const lineEnd = bytes.indexOf("\r\n", position);
    if (lineEnd === -1) return incomplete();
    const line = bytes.toString("latin1", position, lineEnd);
    if (!/^(?:0|[1-9a-f][0-9a-f]{0,11})$/i.test(line)) throw new StrictError(`a chunk size out of grammar: ${line}`);
    const size = Number.parseInt(line, 16);
    if (size === 0) return readTrailers(bytes, lineEnd + 2, chunks) ?? incomplete();
    position = lineEnd + 2 + size + 2;
    chunks.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    if (bytes.length < position) return incomplete();
    if (bytes.toString("latin1", position - 2, position) !== "\r\n") throw new StrictError("a chunk without its end");
  }
}

function readTrailers(bytes: Buffer, start: number, chunks: readonly Buffer[]) {
  const trailers: Field[] = [];
  for (let position = start; ; ) {
    const lineEnd = bytes.indexOf("\r\n", position);
    if (lineEnd === -1) return undefined;
    if (lineEnd === position) return { body: Buffer.concat(chunks), trailers, complete: true, end: lineEnd + 2 };
    trailers.push(readField(bytes.toString("latin1", position, lineEnd)));
    position = lineEnd + 2;
  }
}
