/** What signals ask of a process that serves. */
export interface SignalHandlers {
  readonly reload: () => void;
  /** The first SIGTERM or SIGINT. */
  readonly stop: () => void;
  /** The second one. */
  readonly stopNow: () => void;
}

/** Lets signals reach the server. A third SIGTERM or SIGINT ends the process there and then. */
export function handleSignals({ reload, stop, stopNow }: SignalHandlers): void {
  let asked = 0;
  const onStop = () => {
    asked++;
    if (asked === 1) stop();
    else if (asked === 2) stopNow();
    else process.exit(1);
  };
  process.on("SIGTERM", onStop).on("SIGINT", onStop).on("SIGHUP", reload);
}
