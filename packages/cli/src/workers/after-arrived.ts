/**
 * Calls back once the input that has arrived by now has been read. The timers of an event loop that was busy run before what
 * arrived meanwhile is read: then a reply is late only because this process was.
 */
export function afterArrived(callback: () => void): void {
  // The first immediate may run in the same turn as the timer, before the loop polls for input.
  setImmediate(() => setImmediate(callback));
}
