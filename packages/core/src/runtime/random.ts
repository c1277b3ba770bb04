/** Chance: a number from 0 up to but not including 1. Tests put a seeded or scripted one in its place. */
export type Random = () => number;

export const systemRandom: Random = Math.random;
