import type { Sampler } from "../history/sampler.ts";
import { HttpError } from "../http/http-error.ts";
import { badRequest, checkParameterNames, singleParameter } from "../http/query.ts";
import { type AdminResponse, json } from "../http/response.ts";
import type { RouteParams } from "../routes.ts";
import type { AdminTarget } from "../target/admin-target.ts";

const parameters = ["pool", "upstream"];

/** The last minute of everything, of one pool, or of one upstream. */
export function showHistory(target: AdminTarget, sampler: Sampler, { query }: RouteParams): AdminResponse {
  checkParameterNames(query, parameters);
  const [pool, upstream] = parameters.map((name) => singleParameter(query, name));
  const { history, sampleMs } = sampler;
  if (pool === undefined && upstream === undefined) return json(200, history.all(sampleMs));
  if (pool === undefined) throw badRequest('an upstream needs its pool: add "pool"');
  const series = history.series(pool, upstream, sampleMs);
  if (series !== undefined) return json(200, series);
  if (![...target.poolNames()].includes(pool)) {
    throw new HttpError(404, "unknown_pool", `there is no pool ${JSON.stringify(pool)}`);
  }
  const message = `pool "${pool}" has no history yet${upstream === undefined ? "" : ` of an upstream ${JSON.stringify(upstream)}`}`;
  throw new HttpError(404, upstream === undefined ? "no_history" : "unknown_upstream", message);
}
