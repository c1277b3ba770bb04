import { isDeepStrictEqual } from "node:util";
import type { ResolvedPool } from "../config/resolved.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Connector } from "../transport/connector.ts";
import { ContextTransport } from "../transport/context-transport.ts";
import { createTransport } from "../transport/create-transport.ts";
import type { Transport } from "../transport/transport.ts";
import type { PoolLimits } from "./limits/pool-limits.ts";
import type { Member } from "./upstream.ts";

/** Returns the transport of a member, which is created at its first use. */
export function transportOf(
  member: Member,
  options: ResolvedPool,
  runtime: Runtime,
  { connector, limits }: { readonly connector: Connector; readonly limits: PoolLimits },
): Transport {
  if (member.transport === undefined) {
    member.transport = new ContextTransport(createTransport(member.address, options, runtime, connector));
    limits.limitConnections(member);
  }
  return member.transport;
}

/** Closes the connections of a member once they are idle. The next request opens new ones. */
export function retireTransport(member: Member): void {
  member.transport?.close();
  member.transport = undefined;
}

/** Ends the connections of a member now. */
export function destroyTransport(member: Member): void {
  member.transport?.destroy();
  member.transport = undefined;
}

/** Whether connections opened with one set of options may serve the other. */
export function hasSameConnectionOptions(one: ResolvedPool, other: ResolvedPool): boolean {
  return isDeepStrictEqual([one.connections, one.timeouts, one.tls], [other.connections, other.timeouts, other.tls]);
}
