export { Failure } from "./failure.ts";
export { type Diagnostics, openDiagnostics } from "./log/diagnostics.ts";
export { StandaloneServer } from "./primary/standalone-server.ts";
