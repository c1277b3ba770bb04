import type { Pool } from "../pool/pool.ts";
import type { Upstream } from "../pool/upstream.ts";

/** The upstream that has responded, and its pool. */
interface ReportSource {
  readonly route: { readonly pool: Pool } | undefined;
  readonly upstream: Upstream | undefined;
}

/** A plain decimal from 0 to 1, without sign, exponent or spaces. 32 digits are more than any double has. */
const loadFormat = /^(?:0(?:\.\d{1,32})?|1(?:\.0{1,32})?)$/;

/**
 * Removes the load report from the headers of a final response, and passes its value to the pool. The header never reaches
 * the client, not even with a malformed value. A repeated header is ignored, since it has no one value.
 *
 * Returns the same array when there is nothing to remove.
 */
export function takeLoadReport({ route, upstream }: ReportSource, headers: readonly string[]): readonly string[] {
  const { values, rest } = splitLoadReport(route, headers);
  const [load = ""] = values;
  if (values.length !== 1 || upstream === undefined || !loadFormat.test(load)) return rest;
  route?.pool.effectiveWeights.announce(upstream, Number(load));
  return rest;
}

/** Removes the load report from the headers of an interim response or from trailers. Its value is ignored there. */
export function withoutLoadReport(
  { route }: Pick<ReportSource, "route">,
  fields: readonly string[],
): readonly string[] {
  return splitLoadReport(route, fields).rest;
}

function splitLoadReport(
  route: ReportSource["route"],
  fields: readonly string[],
): { readonly values: readonly string[]; readonly rest: readonly string[] } {
  const header = route?.pool.options.weights?.header;
  if (header === undefined) return { values: [], rest: fields };
  const rest: string[] = [];
  const values: string[] = [];
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] as string;
    const value = fields[index + 1] as string;
    if (name.length === header.length && name.toLowerCase() === header) values.push(value);
    else rest.push(name, value);
  }
  return { values, rest: values.length === 0 ? fields : rest };
}
