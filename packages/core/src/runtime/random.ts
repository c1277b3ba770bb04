/** Returns a random number in [0, 1). Tests pass a seeded or scripted source. */
export type Random = () => number;

export const systemRandom: Random = Math.random;
