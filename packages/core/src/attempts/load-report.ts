import type { Pool } from "../pool/pool.ts";
import type { Upstream } from "../pool/upstream.ts";

/** Who has answered, and for which pool. */
interface Answerer {
  readonly route: { readonly pool: Pool } | undefined;
  readonly upstream: Upstream | undefined;
}

/** 0 to 1 in plain decimals, as many as a double may be written with, and nothing else: no sign, no exponent, no spaces. */
const loadText = /^(?:0(?:\.\d{1,32})?|1(?:\.0{1,32})?)$/;

/**
 * Takes what an upstream says of its load off the headers of its final answer, and tells the pool. It is between the two,
 * and goes no further, even where it makes no sense. One that is said twice is not heeded.
 *
 * Returns the very same headers where there is nothing to take off.
 */
export function takeLoadReport({ route, upstream }: Answerer, headers: readonly string[]): readonly string[] {
  const { values, rest } = takeOff(route, headers);
  const [load = ""] = values;
  if (values.length !== 1 || upstream === undefined || !loadText.test(load)) return rest;
  route?.pool.weighting.announce(upstream, Number(load));
  return rest;
}

/** The same for fields that are no final answer's, those of early hints and trailers: it is not heeded there. */
export function withoutLoadReport({ route }: Pick<Answerer, "route">, fields: readonly string[]): readonly string[] {
  return takeOff(route, fields).rest;
}

function takeOff(
  route: Answerer["route"],
  fields: readonly string[],
): { readonly values: readonly string[]; readonly rest: readonly string[] } {
  const announced = route?.pool.options.weights?.header;
  if (announced === undefined) return { values: [], rest: fields };
  const rest: string[] = [];
  const values: string[] = [];
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] as string;
    const value = fields[index + 1] as string;
    if (name.length === announced.length && name.toLowerCase() === announced) values.push(value);
    else rest.push(name, value);
  }
  return { values, rest: values.length === 0 ? fields : rest };
}
