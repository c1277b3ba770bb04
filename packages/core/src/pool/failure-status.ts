import type { ResolvedPool } from "../config/resolved.ts";

/** Whether a status is one of those that count as failures. None does while outlier detection is off. */
export function isFailureStatus(status: number | undefined, { outlierDetection }: ResolvedPool): boolean {
  if (status === undefined || outlierDetection === undefined) return false;
  return outlierDetection.failureStatuses.some(({ from, to }) => status >= from && status <= to);
}
