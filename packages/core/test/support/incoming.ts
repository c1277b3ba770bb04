import type { IncomingRequest } from "../../src/client/client-exchange.ts";
import { isRefusal, type Refusal, type RequestHeadIn, readRequestHead } from "../../src/request/request-head.ts";

export interface IncomingSketch {
  readonly method?: string;
  readonly url?: string;
  /** `Name: value` lines; `Host: shop.example` is put in front unless one of them is a Host. */
  readonly headers?: readonly string[];
  /** "1.1" unless told otherwise. */
  readonly version?: string;
  readonly peer?: string | undefined;
  readonly encrypted?: boolean;
}

/** The part of a request that is read before anything else happens. */
export function incoming(sketch: IncomingSketch = {}): IncomingRequest {
  const { method = "GET", url = "/", headers = [], version = "1.1", encrypted = false } = sketch;
  const lines = headers.some((line) => /^host:/i.test(line)) ? headers : ["Host: shop.example", ...headers];
  return {
    method,
    target: url,
    rawHeaders: lines.flatMap((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]),
    httpVersion: version,
    changedHeaders: undefined,
    remoteAddress: "peer" in sketch ? sketch.peer : "203.0.113.9",
    encrypted,
  };
}

/** The head of a request that has to be acceptable. */
export function headOf(sketch: IncomingSketch = {}): RequestHeadIn {
  const head = readRequestHead(incoming(sketch), 200);
  if (isRefusal(head)) throw new Error(`refused: ${head.reason}`);
  return head;
}

/** Why a request has to be refused. */
export function refusalOf(sketch: IncomingSketch = {}): Refusal["code"] {
  const head = readRequestHead(incoming(sketch), 200);
  if (!isRefusal(head)) throw new Error("accepted");
  return head.code;
}

/** `Name: value` lines of names and values by turns. */
export function linesOf(headers: readonly string[]): string[] {
  return headers.flatMap((name, index) => (index % 2 === 0 ? [`${name}: ${headers[index + 1]}`] : []));
}
