import type { Socket } from "node:net";
import { Failure, messageOf } from "../failure.ts";
import { openDiagnostics } from "../log/diagnostics.ts";
import { type PrimaryMessage, protocol, type StartMessage } from "../workers/primary-messages.ts";
import { type SendToPrimary, Worker } from "../workers/worker.ts";

/** Serves as one of several workers, until the primary has it drain or is gone. Only the primary starts this command. */
export async function worker(): Promise<void> {
  if (process.send === undefined) throw new Failure('"evenkeel run" starts its workers itself');
  // A terminal and a service manager send these to every process of the group. The primary has them drain.
  for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP"] as const) process.on(signal, () => {});
  const diagnostics = openDiagnostics();
  const send: SendToPrimary = (message, done) => {
    if (process.connected) process.send?.(message, undefined, undefined, () => done?.());
    else done?.();
  };
  await new Promise<void>((resolve) => {
    let running: Worker | undefined;
    const end = () => resolve();
    process.on("disconnect", () => {
      if (running === undefined) return end();
      diagnostics.logger.warn("the primary is gone: waiting for requests in flight");
      void running.drain(running.shutdownTimeoutMs);
    });
    process.on("message", (message: PrimaryMessage, socket: Socket | undefined) => {
      if (running !== undefined) return running.receive(message, socket);
      if (message.type !== "start") return;
      const fail = (error: unknown) => send({ type: "failed", message: messageOf(error) }, end);
      try {
        running = start(message);
        running.startTracing().then(() => send({ type: "ready", protocol }), fail);
        void running.drained.then(end);
      } catch (error) {
        fail(error);
      }
    });
  });
  await diagnostics.close();

  function start(message: StartMessage): Worker {
    if (message.protocol !== protocol) throw new Failure("the files of the command have changed: restart it");
    return new Worker(message, diagnostics.logger.child({ worker: message.worker }), send);
  }
}
