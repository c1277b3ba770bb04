export { seededRandom } from "../runtime/seeded-random.ts";
export { expectShares, routesOf } from "./assert-shares.ts";
export {
  type RecordedRequest,
  type ScriptedUpstream,
  type ScriptedUpstreamOptions,
  scriptedUpstream,
} from "./scripted-upstream.ts";
export { type StartedProxy, startProxy } from "./start-proxy.ts";
export type { ScriptedAnswer, Step } from "./steps.ts";
export { type TestClock, virtualClock } from "./test-clock.ts";
