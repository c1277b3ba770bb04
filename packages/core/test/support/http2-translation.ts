/** What a request of HTTP/1.1, given as bytes, is in HTTP/2. */

import type { Fields } from "./frame-server.ts";

/** A request as HEADERS, DATA and perhaps trailing HEADERS. */
export interface TranslatedRequest {
  readonly fields: Fields;
  /** What the upstream may see as its target, before a route changes it. */
  readonly path: string;
  readonly body: Buffer;
  readonly trailers: Fields;
  /** The bytes end before the body does: END_STREAM is not sent. */
  readonly unfinished: boolean;
}

/** `verbatim`: connection-specific fields are kept, and a coded body with its coding. `clean`: as a correct client does. */
export type Form = "verbatim" | "clean";

interface Head {
  readonly method: string;
  readonly target: string;
  readonly lines: Fields;
  readonly end: number;
}

const connectionSpecific = ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "te"];

/** Undefined when the first request is none without the syntax of HTTP/1.1. */
export function translate(bytes: string, form: Form): TranslatedRequest[] | undefined {
  const requests: TranslatedRequest[] = [];
  for (let start = 0; start < bytes.length; ) {
    const head = readHead(bytes, start);
    const body = head === undefined ? undefined : readBody(bytes, head, form);
    if (head === undefined || body === undefined) {
      const last = requests.pop();
      if (last === undefined) return undefined;
      // What is no request goes where it would be hidden: into the body of the request in front.
      const hidden = Buffer.concat([last.body, Buffer.from(bytes.slice(start), "latin1")]);
      return [...requests, { ...last, body: hidden }];
    }
    const { end, ...content } = body;
    const fields = pseudoFields(head, form);
    requests.push({ fields, path: fields.find(([name]) => name === ":path")?.[1] ?? "", ...content });
    start = end;
  }
  return requests;
}

/** Whether both forms of a request differ. */
export function hasConnectionFields(requests: readonly TranslatedRequest[]): boolean {
  return requests.some(({ fields }) => fields.some(([name]) => connectionSpecific.includes(name)));
}

function readHead(bytes: string, start: number): Head | undefined {
  const end = bytes.indexOf("\r\n\r\n", start);
  if (end === -1) return undefined;
  const [requestLine = "", ...lines] = bytes.slice(start, end).split("\r\n");
  const match = /^([^ \r\n]+) ([^ \r\n]+) HTTP\/1\.[01]$/.exec(requestLine);
  const fields = readFields(lines);
  if (match === null || fields === undefined) return undefined;
  return { method: match[1] as string, target: match[2] as string, lines: fields, end: end + 4 };
}

/** A folded line stays in its value, line end and all. */
function readFields(lines: readonly string[]): Fields | undefined {
  const fields: [string, string][] = [];
  for (const line of lines) {
    const last = fields.at(-1);
    const colon = line.indexOf(":");
    if (/^[ \t]/.test(line) && last !== undefined) last[1] += `\r\n${line}`;
    else if (/^[ \t]/.test(line) || colon === -1) return undefined;
    else fields.push([lowerCase(line.slice(0, colon)), line.slice(colon + 1).replace(/^ /, "")]);
  }
  return fields;
}

function lowerCase(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** The first Host becomes :authority; an authority in the target takes its place, and every Host stays beside it. */
function pseudoFields({ method, target, lines }: Head, form: Form): Fields {
  const kept = lines.filter(([name]) => form === "verbatim" || !connectionSpecific.includes(name));
  if (method === "CONNECT") return [[":method", method], [":authority", target], ...kept];
  const absolute = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)(.*)$/is.exec(target);
  if (absolute !== null) {
    const [, scheme = "", authority = "", rest = ""] = absolute;
    const path = rest.startsWith("/") ? rest : `/${rest}`;
    return [[":method", method], [":scheme", scheme], [":authority", authority], [":path", path], ...kept];
  }
  const host = kept.find(([name]) => name === "host");
  const authority: Fields = host === undefined ? [] : [[":authority", host[1]]];
  const others = kept.filter((field) => field !== host);
  return [[":method", method], [":scheme", "http"], ...authority, [":path", target], ...others];
}

type Body = Pick<TranslatedRequest, "body" | "trailers" | "unfinished"> & { readonly end: number };

function readBody(bytes: string, { lines, end: start }: Head, form: Form): Body | undefined {
  const of = (name: string) => lines.filter(([other]) => other === name).map(([, value]) => value);
  const lengths = of("content-length");
  const codings = of("transfer-encoding");
  const whole = (end: number): Body => ({ body: slice(bytes, start, end), trailers: [], unfinished: false, end });
  if (lengths.length + codings.length === 0) return whole(start);
  if (lengths.length === 1 && codings.length === 0 && /^(?:0|[1-9]\d{0,14})$/.test(lengths[0] as string)) {
    const end = start + Number(lengths[0]);
    return { ...whole(Math.min(end, bytes.length)), unfinished: end > bytes.length };
  }
  if (codings.length === 1 && lengths.length === 0 && /^chunked$/i.test(codings[0] as string)) {
    const chunks = readChunks(bytes, start);
    return chunks === undefined || form === "clean"
      ? chunks
      : { ...whole(bytes.length), unfinished: chunks.unfinished };
  }
  // Framing that contradicts itself or says nothing: all that follows is in the body.
  return whole(bytes.length);
}

function readChunks(bytes: string, start: number): Body | undefined {
  let body = "";
  for (let position = start; ; ) {
    if (position === bytes.length) return { body: latin1(body), trailers: [], unfinished: true, end: position };
    const lineEnd = bytes.indexOf("\r\n", position);
    const size = /^([0-9a-fA-F]{1,12})(?:;[^\r\n\0]*)?$/.exec(bytes.slice(position, Math.max(lineEnd, position)))?.[1];
    if (size === undefined) return undefined;
    const length = Number.parseInt(size, 16);
    position = lineEnd + 2 + length;
    if (length === 0) return readTrailers(bytes, position, latin1(body));
    if (bytes.slice(position, position + 2) !== "\r\n") return undefined;
    body += bytes.slice(lineEnd + 2, position);
    position += 2;
  }
}

function readTrailers(bytes: string, start: number, body: Buffer): Body | undefined {
  if (bytes.startsWith("\r\n", start)) return { body, trailers: [], unfinished: false, end: start + 2 };
  const end = bytes.indexOf("\r\n\r\n", start);
  const trailers = end === -1 ? undefined : readFields(bytes.slice(start, end).split("\r\n"));
  return trailers === undefined ? undefined : { body, trailers, unfinished: false, end: end + 4 };
}

function slice(bytes: string, start: number, end: number): Buffer {
  return latin1(bytes.slice(start, end));
}

function latin1(text: string): Buffer {
  return Buffer.from(text, "latin1");
}
