import { resolveOutlierDetection } from "../../config/resolve.ts";
import type { ResolvedPool } from "../../config/resolved.ts";

/** What counts while outlier detection is off: feedback and policies ask for failures too. */
const { failureStatuses: usual } = resolveOutlierDetection({});

/** Whether a status is one of those that count as failures. */
export function isFailureStatus(status: number | undefined, { outlierDetection }: ResolvedPool): boolean {
  if (status === undefined) return false;
  const ranges = outlierDetection?.failureStatuses ?? usual;
  return ranges.some(({ from, to }) => status >= from && status <= to);
}
