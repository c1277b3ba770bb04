import { type Channel, channel, type TracingChannel, tracingChannel } from "node:diagnostics_channel";
import type { AttemptTrace, ProbeTrace, RequestTrace, RequestTraceEvent, RunInContext } from "./messages.ts";

/** A request from its head to the end of its response, or of its tunnel. */
export const requestChannel: TracingChannel<unknown, RequestTrace> = tracingChannel("evenkeel:request");

/** Retries and waits of a request. A plain channel. */
export const requestEventChannel = channel("evenkeel:request:event") as Channel<unknown, RequestTraceEvent>;

/** One attempt of a request at an upstream. */
export const attemptChannel: TracingChannel<unknown, AttemptTrace> = tracingChannel("evenkeel:attempt");

/** One probe of an upstream. */
export const probeChannel: TracingChannel<unknown, ProbeTrace> = tracingChannel("evenkeel:probe");

/** Whether a request that starts now is traced. The only cost of tracing without a subscriber. */
export function tracesRequests(): boolean {
  return requestChannel.hasSubscribers || attemptChannel.hasSubscribers || requestEventChannel.hasSubscribers;
}

/**
 * Publishes `start`, calls `code` in the contexts that subscribers have set for it, and publishes `end`. The caller publishes
 * the asynchronous end by `publishEnd`.
 */
export function startTrace<Message extends { run: RunInContext | undefined }>(
  channels: TracingChannel<unknown, Message>,
  message: Message,
  code: () => void,
): void {
  try {
    channels.start.runStores(message, () => runInContext(message.run, code));
  } finally {
    channels.end.publish(message);
  }
}

/** Publishes the end of what `startTrace` has started: `error` if it has failed, `asyncStart` and `asyncEnd`. */
export function publishEnd<Message extends object>(
  channels: TracingChannel<unknown, Message>,
  message: Message,
  failed: boolean,
): void {
  if (failed) channels.error.publish(message);
  channels.asyncStart.publish(message);
  channels.asyncEnd.publish(message);
}

/** Calls `code` by `run`, exactly once: a `run` that throws, or does not call it, must not stop a request. */
export function runInContext(run: RunInContext | undefined, code: () => void): void {
  if (run === undefined) return code();
  let called = false;
  let thrown: { readonly error: unknown } | undefined;
  try {
    run(() => {
      if (called) return;
      called = true;
      try {
        code();
      } catch (error) {
        thrown = { error };
      }
    });
  } catch (error) {
    process.emitWarning(`the \`run\` of a trace threw: ${String(error)}`, "EvenkeelWarning");
  }
  if (thrown !== undefined) throw thrown.error;
  if (!called) code();
}
