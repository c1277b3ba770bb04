import type { Channel } from "node:diagnostics_channel";
import type { TextMapPropagator, TracerProvider } from "@opentelemetry/api";
import { attemptChannel, probeChannel, requestChannel, requestEventChannel } from "../tracing/channels.ts";
import { version } from "../version.ts";
import { AttemptSpans } from "./attempt-spans.ts";
import { ProbeSpans } from "./probe-spans.ts";
import { RequestSpans } from "./request-spans.ts";

/** The module `@opentelemetry/api`. It is passed on, so that evenkeel works without it. */
export type Api = typeof import("@opentelemetry/api");

export interface InstrumentOptions {
  /** Default: the global one. */
  readonly tracerProvider?: TracerProvider | undefined;
  /** Reads the context of a request and sends that of an attempt. Default: the global one. */
  readonly propagator?: TextMapPropagator | undefined;
  /** A span for each probe of a health check. Default: false. */
  readonly probes?: boolean | undefined;
}

let stopCurrent: (() => void) | undefined;
let decided = false;

/** `instrument` or its result was called: whether requests are traced is no longer up to `createProxy`. */
export function isDecided(): boolean {
  return decided;
}

/** Subscribes to the diagnostics channels in place of an earlier call. Returns the function that unsubscribes. */
export function instrument(api: Api, options: InstrumentOptions): () => void {
  stopCurrent?.();
  decided = true;
  const stop = subscribe(api, options);
  stopCurrent = stop;
  return stop;
}

function subscribe(api: Api, { tracerProvider = api.trace, propagator = api.propagation, probes }: InstrumentOptions) {
  const tracer = tracerProvider.getTracer("evenkeel", version);
  const requests = new RequestSpans(api, tracer, propagator);
  const attempts = new AttemptSpans(api, tracer, propagator, requests);
  const probed = new ProbeSpans(api, tracer, probes === true);
  const ends = [
    listen(api, requestChannel.start, (request) => requests.start(request)),
    listen(api, requestChannel.asyncEnd, (request) => requests.end(request)),
    listen(api, requestEventChannel, (event) => requests.addEvent(event)),
    listen(api, attemptChannel.start, (attempt) => attempts.start(attempt)),
    listen(api, attemptChannel.asyncEnd, (attempt) => attempts.end(attempt)),
    listen(api, probeChannel.start, (probe) => probed.start(probe)),
    listen(api, probeChannel.asyncEnd, (probe) => probed.end(probe)),
  ];
  return () => {
    for (const end of ends) end();
  };
}

/** An exception in a span processor or a propagator must not end the process, as one in a subscriber does. */
function listen<Message>(
  { diag }: Api,
  channel: Channel<unknown, Message>,
  onMessage: (message: Message) => void,
): () => void {
  const listener = (message: unknown) => {
    try {
      onMessage(message as Message);
    } catch (error) {
      diag.error("evenkeel: a span was not recorded", error);
    }
  };
  channel.subscribe(listener);
  return () => void channel.unsubscribe(listener);
}
