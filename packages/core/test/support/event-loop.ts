/** Lets the event loop go round so many times. */
export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}

/** Resolves when a figure has stood still for so long that nothing on this machine can be moving it any more. */
export async function standstill(figure: () => number): Promise<void> {
  for (let still = 0, before = Number.NaN; still < 300; still++) {
    if (figure() !== before) still = 0;
    before = figure();
    await turns(1);
  }
}

/** Resolves as soon as something has become true that no event tells of. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turns(1);
}
