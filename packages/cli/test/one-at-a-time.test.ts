import { expect, test } from "vitest";
import { OneAtATime } from "../src/one-at-a-time.ts";

/** An action whose runs the test ends. */
function startRuns() {
  const runs: { resolve(value: number): void; reject(error: Error): void }[] = [];
  const action = new OneAtATime(() => new Promise<number>((resolve, reject) => void runs.push({ resolve, reject })));
  return { runs, action };
}

test("calls during a run share one later run, whether the first one succeeds or fails", async () => {
  const { runs, action } = startRuns();
  const first = action.run();
  const waiting = [action.run(), action.run()];
  expect(runs).toHaveLength(1);
  runs[0]?.reject(new Error("first"));
  // Before the next run has begun, a further call still waits for the same one.
  waiting.push(action.run());
  await expect(first).rejects.toThrow("first");
  await Promise.resolve();
  expect(runs).toHaveLength(2);
  runs[1]?.resolve(2);
  expect(await Promise.all(waiting)).toEqual([2, 2, 2]);
  const third = action.run();
  runs[2]?.resolve(3);
  expect(await third).toBe(3);
});
