import { setImmediate as nextTurn, setTimeout as pause } from "node:timers/promises";

/**
 * A loop that waits looks in so many turns that follow one another before it pauses between two looks. What happens in
 * this process alone happens within those; a loop that waits longer waits for a timer or for another process, and has to
 * leave the processor to it.
 */
const quickLooks = 200;

/** Lets the event loop go round so many times. */
export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await nextTurn();
}

/** Resolves when a figure has stood still for so long that nothing on this machine can be moving it any more. */
export async function standstill(figure: () => number): Promise<void> {
  for (let still = 0, before = Number.NaN; still < 300; still++) {
    if (figure() !== before) still = 0;
    before = figure();
    await turns(1);
  }
}

/** Resolves as soon as something has become true that no event reports, or when the time for it is over. */
export async function until(condition: () => boolean | Promise<boolean>, timeoutMs = Infinity): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (let looks = 0; !(await condition()) && performance.now() < deadline; looks++) {
    await (looks < quickLooks ? nextTurn() : pause(1));
  }
}
