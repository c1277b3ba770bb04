import type { Duration } from "../options.ts";

/** Active health checks: probes of each upstream. */
export interface HealthCheckOptions {
  /**
   * "http" sends a request for `path`. "tcp" only connects, TLS included. "grpc" calls the health service of gRPC servers over
   * HTTP/2. Default: "http".
   */
  readonly type?: "http" | "tcp" | "grpc";
  /** The name of the service that a "grpc" check asks for, such as "shop.v1.Cart". Default: "", the server as a whole. */
  readonly service?: string;
  /** The path and query of the probe. Default: "/". */
  readonly path?: string;
  /** The method of the probe, in capitals. Default: "GET". */
  readonly method?: string;
  /** Headers of each probe, such as `Host`. */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * The scheme of the probe: "http" for a management port without TLS (HTTP/1.1), "https" with the pool's `tls`. Default: the
   * scheme of the upstream.
   */
  readonly scheme?: "http" | "https";
  /** The port of the probe. Default: the port of the upstream. */
  readonly port?: number;
  /** The time from the start of one probe to the start of the next, at least "100ms". Default: "5s". */
  readonly interval?: Duration;
  /**
   * The interval before the first verdict and while the verdict is about to change, at least "100ms". It is never longer than
   * `interval`. Default: "1s".
   */
  readonly fastInterval?: Duration;
  /** The longest time for a probe, from its start to the last byte that it needs. Default: "2s". */
  readonly timeout?: Duration;
  /** Consecutive successes that make an unhealthy upstream healthy. For the first verdict one is enough. Default: 2. */
  readonly healthyThreshold?: number;
  /** Consecutive failures that make an upstream unhealthy. Default: 3. */
  readonly unhealthyThreshold?: number;
  /** Spreads probes over time: each interval is longer or shorter by a random share up to this one, 0 to 0.5. Default: 0.1. */
  readonly jitter?: number;
  /** Statuses that count as success, such as 200, "200" or "200-399". Redirects are not followed. Default: ["200-399"]. */
  readonly expectStatus?: readonly (string | number)[];
  /**
   * A substring that the first 64 KiB of the body must contain, or a regular expression between slashes, of at most 200
   * characters. It is matched in linear time, so lookaround and backreferences are errors.
   */
  readonly expectBody?: string;
  /** With "checking" an upstream gets no requests before its first successful probe, with "up" it does. Default: "up". */
  readonly initialState?: "up" | "checking";
}

/** Passive health checks: an upstream whose requests keep failing is ejected for a while. */
export interface OutlierDetectionOptions {
  /** Consecutive failures that eject an upstream. 0 switches this detector off. Default: 5. */
  readonly consecutiveFailures?: number;
  /** The share of failed requests within `window` that ejects an upstream, 0 to 1. 0 switches this detector off. Default: 0.5. */
  readonly failureRatio?: number;
  /** The period over which `failureRatio` is measured. Default: "10s". */
  readonly window?: Duration;
  /** The fewest requests within `window` for which `failureRatio` is judged. Default: 20. */
  readonly minimumRequests?: number;
  /** The duration of the first ejection. The second lasts twice as long, the third three times. Default: "30s". */
  readonly baseEjectionTime?: Duration;
  /** The longest ejection. Default: "5m". */
  readonly maxEjectionTime?: Duration;
  /**
   * The largest part of the pool that may be ejected at a time, in percent. One upstream may always be ejected if another
   * stays. With 0 none is. Default: 50.
   */
  readonly maxEjectionPercent?: number;
  /** Statuses that count as failures, in addition to failed connections and missing or broken responses. Default: ["500-599"]. */
  readonly failureStatuses?: readonly (string | number)[];
}
