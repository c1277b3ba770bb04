import type { UpstreamAddress } from "../config/resolved.ts";
import { probeChannel, publishEnd, startTrace } from "./channels.ts";
import type { ProbeTrace, RunInContext } from "./messages.ts";

/** What is known of a probe at its start. */
export type ProbeStart = Pick<ProbeTrace, "pool" | "upstream" | "address" | "type" | "method" | "path">;

/** The message of one probe. */
class TracedProbe implements ProbeTrace {
  readonly pool: string;
  readonly upstream: string;
  readonly address: UpstreamAddress;
  readonly type: ProbeTrace["type"];
  readonly method: string;
  readonly path: string;
  run: RunInContext | undefined;
  ok = false;
  reason = "";
  cause: string | undefined;

  constructor({ pool, upstream, address, type, method, path }: ProbeStart) {
    this.pool = pool;
    this.upstream = upstream;
    this.address = address;
    this.type = type;
    this.method = method;
    this.path = path;
  }
}

/** Sends a probe by `send`, which never rejects, and publishes its start and its end if there is a subscriber. */
export function traceProbe<Result extends Pick<ProbeTrace, "ok" | "reason"> & { readonly cause?: string | undefined }>(
  start: ProbeStart,
  send: () => Promise<Result>,
): Promise<Result> {
  if (!probeChannel.hasSubscribers) return send();
  const message = new TracedProbe(start);
  let sent: Promise<Result> | undefined;
  startTrace(probeChannel, message, () => {
    sent = send();
  });
  return (sent as Promise<Result>).then((result) => {
    message.ok = result.ok;
    message.reason = result.reason;
    message.cause = result.cause;
    publishEnd(probeChannel, message, !result.ok);
    return result;
  });
}
