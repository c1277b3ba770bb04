import { isDeepStrictEqual } from "node:util";
import type { ResolvedPool } from "../config/resolved.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Connector } from "../transport/connector.ts";
import { ContextTransport } from "../transport/context-transport.ts";
import { createTransport } from "../transport/create-transport.ts";
import type { Transport } from "../transport/transport.ts";
import type { Member } from "./upstream.ts";

/** A member's connections, opened when first asked for and kept as long as it stays. */
export function transportOf(member: Member, options: ResolvedPool, runtime: Runtime, connector: Connector): Transport {
  member.transport ??= new ContextTransport(createTransport(member.address, options, runtime, connector));
  return member.transport;
}

/** Closes a member's connections once they are idle; the next request opens new ones. */
export function retireTransport(member: Member): void {
  member.transport?.close();
  member.transport = undefined;
}

/** Ends a member's connections now. */
export function destroyTransport(member: Member): void {
  member.transport?.destroy();
  member.transport = undefined;
}

/** Whether open sockets would have been made in the same way with other options. */
export function connectsAlike(one: ResolvedPool, other: ResolvedPool): boolean {
  return isDeepStrictEqual([one.connections, one.timeouts, one.tls], [other.connections, other.timeouts, other.tls]);
}
