/** A validated trace: times in milliseconds, names of upstreams resolved, defaults filled in. */

import type { UpstreamOptions } from "../../config/options.ts";
import type { UpstreamState } from "../../events.ts";

export interface ResolvedTrace {
  readonly requests: readonly ResolvedRequest[] | ResolvedGenerator;
  /** By "pool/id". */
  readonly models: ReadonlyMap<string, ResolvedModel>;
  /** Sorted by time. */
  readonly script: readonly ResolvedStep[];
}

export interface ResolvedRequest {
  readonly atMs: number;
  readonly key: string | undefined;
  readonly method: string;
  readonly url: string;
  readonly client: string | undefined;
}

export interface ResolvedGenerator {
  readonly rate: number;
  readonly durationMs: number;
  readonly keys: number;
  readonly method: string;
  readonly url: string;
}

export type ResolvedLatency =
  | { readonly kind: "fixed"; readonly ms: number }
  | { readonly kind: "uniform"; readonly fromMs: number; readonly toMs: number }
  | { readonly kind: "lognormal"; readonly mu: number; readonly sigma: number };

export interface ResolvedModel {
  readonly latency: ResolvedLatency;
  readonly failures: readonly ResolvedFailure[];
  /** Infinity when there is no limit. */
  readonly concurrency: number;
}

export interface ResolvedFailure {
  readonly how: "refuse" | "reset" | "hang" | number;
  readonly share: number;
}

export interface ResolvedStep {
  readonly atMs: number;
  /** The upstream that the step changes; undefined for a step that changes the rate only. */
  readonly name: UpstreamName | undefined;
  readonly rate: number | undefined;
  readonly slower: number | undefined;
  readonly down: boolean | undefined;
  readonly failures: readonly ResolvedFailure[] | undefined;
  readonly weight: number | undefined;
  readonly state: UpstreamState | undefined;
  readonly join: UpstreamOptions | undefined;
  readonly leave: boolean;
}

/** Identifies an upstream in a simulation. */
export interface UpstreamName {
  readonly pool: string;
  readonly id: string;
}
