import { ChangedHeaders, changedLines, type HeaderObject } from "../changed-headers.ts";
import { readRequestFields } from "../http2/request-fields.ts";

/** What is read of a request of Node's HTTP/2 server. */
export interface CompatRequestHead {
  readonly rawHeaders: readonly string[];
  readonly headers: HeaderObject;
  /** Undefined in what a framework makes of a request. */
  readonly stream?: { readonly endAfterHeaders?: boolean | undefined } | undefined;
}

/** The head of a request to Node's HTTP/2 server in the form of one over HTTP/1.1. */
export interface CompatHead {
  readonly rawHeaders: readonly string[];
  readonly bodyFollows: boolean;
  /** The request breaks a rule that Node does not check. */
  readonly malformed: boolean;
}

/** Converts the fields of a request: Node gives the pseudo-fields among the others. */
export function compatHead({ rawHeaders, stream }: CompatRequestHead): CompatHead {
  const { rawHeaders: converted, fault } = readRequestFields(rawHeaders);
  return {
    rawHeaders: converted,
    bodyFollows: stream?.endAfterHeaders !== true,
    malformed: fault !== undefined,
  };
}

/** What an app has changed in the headers. It cannot change the pseudo-fields there. */
export function compatChangedHeaders(
  request: CompatRequestHead,
  headers: HeaderObject = request.headers,
): ChangedHeaders | undefined {
  const lines = changedLines(headers, request);
  if (lines === undefined) return undefined;
  const changed = new Map([...lines].filter(([name]) => !name.startsWith(":")));
  return changed.size === 0 ? undefined : new ChangedHeaders(changed, Infinity);
}
