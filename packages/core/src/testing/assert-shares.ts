import { AssertionError } from "node:assert";
import type { ScriptedUpstream } from "./scripted-upstream.ts";

/** Tolerates floating-point error: 0.8 - 0.75 is slightly more than 0.05. */
const rounding = 1e-9;

type Recording = Pick<ScriptedUpstream, "name" | "requests">;

/** Returns the names of the upstreams that received the requests, in the order of arrival. */
export function routesOf(upstreams: readonly Recording[]): string[] {
  return upstreams
    .flatMap(({ name, requests }) => requests.map(({ order }) => ({ name, order })))
    .sort((one, other) => one.order - other.order)
    .map(({ name }) => name);
}

/**
 * Asserts that the upstreams received requests in proportion to `weights`, given by name. An upstream without a weight must
 * receive none. `within` is the largest difference of a share, as a fraction of all requests. Default: 0.05. Throws an
 * `AssertionError` of `node:assert`.
 *
 * @example
 * expectShares([a, b], { a: 3, b: 1 }, { within: 0.02 });
 */
export function expectShares(
  upstreams: readonly Recording[],
  weights: Readonly<Record<string, number>>,
  { within = 0.05 }: { readonly within?: number } = {},
): void {
  const routes = routesOf(upstreams);
  const names = [...new Set([...Object.keys(weights), ...upstreams.map(({ name }) => name)])];
  const total = Object.values(weights).reduce((sum, weight) => sum + weight, 0);
  const shareOf = (part: number, whole: number) => (whole === 0 ? 0 : Math.round((part / whole) * 1e4) / 1e4);
  const actual = names.map((name) => shareOf(routes.filter((route) => route === name).length, routes.length));
  const expected = names.map((name) => shareOf(weights[name] ?? 0, total));
  if (
    routes.length > 0 &&
    expected.every((share, index) => Math.abs(share - (actual[index] ?? 0)) <= within + rounding)
  )
    return;
  throw new AssertionError({
    message:
      routes.length === 0
        ? "no upstream has received a request"
        : `the shares of ${routes.length} requests differ from the weights by more than ${within}`,
    actual: Object.fromEntries(names.map((name, index) => [name, actual[index]])),
    expected: Object.fromEntries(names.map((name, index) => [name, expected[index]])),
    operator: "expectShares",
    stackStartFn: expectShares,
  });
}
