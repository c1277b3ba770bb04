export type { FailedRequest, UpstreamStatus } from "evenkeel";
export { isLoopbackListen } from "./access/local-addresses.ts";
export { type Admin, createAdmin } from "./create-admin.ts";
export { type AdminOptions, type ListenerSnapshot, RestartRefused } from "./options.ts";
export type {
  Failures,
  History,
  Overview,
  PoolOverview,
  PoolSeries,
  Problem,
  Role,
  Series,
  SeriesHistory,
  SessionInfo,
  Traffic,
  UpstreamOverview,
} from "./overview/overview.ts";
export type { AdminEvents, AdminTarget } from "./target/admin-target.ts";
export { proxyTarget } from "./target/proxy-target.ts";
export { ProcessMeter } from "./workers/process-meter.ts";
export type { EventLoopDelay, ProcessSnapshot, WorkerEnd, WorkerSnapshot } from "./workers/worker-snapshot.ts";
