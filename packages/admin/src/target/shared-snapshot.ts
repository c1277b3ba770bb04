import type { ProxySnapshot } from "evenkeel";
import type { AdminTarget } from "./admin-target.ts";

/**
 * Returns a function that takes a snapshot. Calls at the same time share one, so that many of them do not multiply messages
 * between the processes of a group.
 */
export function sharedSnapshot(target: AdminTarget): () => Promise<ProxySnapshot> {
  let pending: Promise<ProxySnapshot> | undefined;
  return () => {
    pending ??= target.snapshot().finally(() => {
      pending = undefined;
    });
    return pending;
  };
}
