import { isGrpcType } from "../../grpc/protocol.ts";
import { contentLength } from "../../http1/grammar.ts";
import { faultOfField } from "../../http2/field-rules.ts";
import { TransportError } from "../transport-error.ts";

/** The head of a response over HTTP/2. */
export interface Http2ResponseHead {
  readonly status: number;
  /** Alternating names and values as received, without the pseudo-field. */
  readonly headers: string[];
  /** Bytes of the body that Content-Length announces; 0 when there can be no body, -1 when the length is unknown. */
  readonly length: number;
  /** There can be no body, whatever the Content-Length. */
  readonly bodiless: boolean;
  /** An event stream or a gRPC call, whose events and messages may be far apart. */
  readonly mayPause: boolean;
}

const eventStreamType = /^text\/event-stream[ \t]*(?:;|$)/i;

const statusText = /^[1-9]\d\d$/;

/** Checks the fields of a response head (RFC 9113 sections 8.2 and 8.3.2). Throws a `TransportError` for a malformed one. */
export function readResponseFields(fields: readonly string[], method: string): Http2ResponseHead {
  if (fields[0] !== ":status" || !statusText.test(fields[1] as string)) throw invalid("a head without a status");
  const status = Number(fields[1]);
  if (status === 101) throw invalid("a 101 over HTTP/2");
  let length: string | undefined;
  let mayPause = false;
  for (let index = 2; index < fields.length; index += 2) {
    const name = fields[index] as string;
    const value = fields[index + 1] as string;
    const fault = faultOfField(name, value);
    if (fault !== undefined) throw invalid(fault);
    if (name === "content-length") {
      if (length !== undefined) throw invalid("more than one Content-Length");
      if (!contentLength.test(value)) throw invalid("a Content-Length that is not a plain number");
      length = value;
    } else if (name === "content-type") mayPause = eventStreamType.test(value) || isGrpcType(value);
  }
  const bodiless = method === "HEAD" || status < 200 || status === 204 || status === 304;
  return {
    status,
    headers: fields.slice(2),
    length: bodiless ? 0 : length === undefined ? -1 : Number(length),
    bodiless,
    mayPause,
  };
}

/** Checks trailers in the same way. A Content-Length among them is ignored (RFC 9110 section 6.5.1). */
export function readTrailerFields(fields: readonly string[]): string[] {
  const trailers: string[] = [];
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] as string;
    const value = fields[index + 1] as string;
    // The name of a pseudo-field is malformed here.
    const fault = faultOfField(name, value);
    if (fault !== undefined) throw invalid(`${fault}, in trailers`);
    if (name !== "content-length") trailers.push(name, value);
  }
  return trailers;
}

function invalid(reason: string): TransportError {
  return new TransportError("invalid_response", reason);
}
