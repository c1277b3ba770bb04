import { resolveOutlierDetection } from "../../config/resolve.ts";
import type { ResolvedPool } from "../../config/resolved.ts";

/** Used while outlier detection is off, since feedback and policies count failures too. */
const { failureStatuses: defaultStatuses } = resolveOutlierDetection({});

/** Whether a response with this status counts as a failure. */
export function isFailureStatus(status: number | undefined, { outlierDetection }: ResolvedPool): boolean {
  if (status === undefined) return false;
  const ranges = outlierDetection?.failureStatuses ?? defaultStatuses;
  return ranges.some(({ from, to }) => status >= from && status <= to);
}
