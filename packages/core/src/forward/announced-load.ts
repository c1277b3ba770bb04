import type { Pool } from "../pool/pool.ts";
import type { Upstream } from "../pool/upstream.ts";

/** Who has answered, and for which pool. */
interface Answerer {
  readonly route: { readonly pool: Pool } | undefined;
  readonly upstream: Upstream | undefined;
}

/** 0 to 1 in plain decimals, and nothing else: no sign, no exponent, no spaces. */
const loadText = /^(?:0(?:\.\d{1,16})?|1(?:\.0{1,16})?)$/;

/**
 * Takes what an upstream says of its load off the headers of its final answer, and tells the pool. It is between the two,
 * and goes no further, even where it makes no sense. One that is said twice is not heeded.
 *
 * Returns the very same headers where there is nothing to take off.
 */
export function heedLoad({ route, upstream }: Answerer, headers: readonly string[]): readonly string[] {
  const announced = route?.pool.options.weights?.header;
  if (route === undefined || upstream === undefined || announced === undefined) return headers;
  const rest: string[] = [];
  const values: string[] = [];
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] as string;
    const value = headers[index + 1] as string;
    if (name.length === announced.length && name.toLowerCase() === announced) values.push(value);
    else rest.push(name, value);
  }
  const [load = ""] = values;
  if (values.length === 1 && loadText.test(load)) route.pool.weighting.announce(upstream, Number(load));
  return values.length === 0 ? headers : rest;
}
