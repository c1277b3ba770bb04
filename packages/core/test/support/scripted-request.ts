import type { Duplex } from "node:stream";
import type { ChangedHeaders } from "../../src/client/changed-headers.ts";
import type { RequestSketch } from "../contract/client-exchange-harness.ts";

/** A request of a scripted client. */
export interface ScriptedRequest extends RequestSketch {
  /** Default: 1.1. */
  readonly httpVersion?: string;
  /** In place of Host, `headers` and what frames the body. */
  readonly rawHeaders?: readonly string[];
  /** The whole body, sent at once. */
  readonly body?: string | Buffer | undefined;
  readonly remoteAddress?: string | undefined;
  readonly encrypted?: boolean;
  readonly isUpgrade?: boolean;
  readonly changedHeaders?: ChangedHeaders | undefined;
  /** Default: one of HTTP/1. */
  readonly connection?: Duplex | undefined;
}

/** The header fields that a client sends. */
export function headersOf({
  headers = [],
  body,
  bodyLength,
  expectsContinue = false,
  isUpgrade,
}: ScriptedRequest): string[] {
  const length = bodyLength ?? (body === undefined ? undefined : Buffer.byteLength(body));
  return [
    ...["Host", "h"],
    ...headers,
    ...(length === "unknown" ? ["Transfer-Encoding", "chunked"] : []),
    ...(typeof length === "number" ? ["Content-Length", String(length)] : []),
    ...(expectsContinue ? ["Expect", "100-continue"] : []),
    ...(isUpgrade === true ? ["Connection", "Upgrade", "Upgrade", "websocket"] : []),
  ];
}
