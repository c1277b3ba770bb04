export { didYouMean, type ConfigIssue, formatPath, OptionsError } from "./config/issues.ts";
export type * from "./config/options.ts";
export { parseDuration, parseSize } from "./config/duration.ts";
export { type ErrorCode, type ErrorPhase, type ErrorSource, ProxyError } from "./errors.ts";
export type * from "./events.ts";
export type { Clock, Timer } from "./runtime/clock.ts";
export type { Random } from "./runtime/random.ts";
export type { Runtime } from "./runtime/runtime.ts";
export type * from "./snapshot.ts";
