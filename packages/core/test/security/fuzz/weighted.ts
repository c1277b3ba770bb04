import fc, { type Arbitrary } from "fast-check";

/** Mostly the one, in so many of twenty cases the other. */
export function mostly<T>(usual: Arbitrary<T>, unusual: Arbitrary<T>, inTwenty = 1): Arbitrary<T> {
  return fc.oneof({ weight: 20 - inTwenty, arbitrary: usual }, { weight: inTwenty, arbitrary: unusual });
}

/** Nothing, or in so many of twenty cases something. */
export function sometimes<T>(arbitrary: Arbitrary<T>, inTwenty = 1): Arbitrary<readonly T[]> {
  return mostly<readonly T[]>(
    fc.constant([]),
    arbitrary.map((value) => [value]),
    inTwenty,
  );
}
