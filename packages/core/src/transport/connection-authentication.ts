/**
 * NTLM and Negotiate authenticate a connection, not a request: later requests on it belong to the same user (RFC 4559
 * section 6). A connection that has carried one of them serves the same client connection only, or is not used again.
 */

import type { Duplex } from "node:stream";
import { limits } from "../config/defaults.ts";
import type { RequestHead } from "./transport.ts";

/** Matches behind a comma too: challenges are a list. */
const scheme = /(?:^|,)\s*(?:ntlm|negotiate)(?:$|[\s,])/i;

/** Decides which client a connection to an upstream may serve. */
export class ConnectionAuthentication {
  /** The connection may have authenticated a client. */
  bound = false;
  /** The client connection of the last request; undefined for outbound requests of the app. */
  client: Duplex | undefined;

  /**
   * Called when an exchange has ended. Returns how long the connection may be idle: longer than others, so that a client does
   * not have to authenticate again after every pause.
   */
  released(keepAliveMs: number): number {
    if (this.bound) return Math.max(keepAliveMs, limits.authenticatedIdleMs);
    this.client = undefined;
    return keepAliveMs;
  }

  requested({ headers, client }: RequestHead): void {
    this.client = client;
    this.bound ||= hasScheme(headers, "authorization");
  }

  responded(status: number, headers: readonly string[]): void {
    if (status === 401) this.bound ||= hasScheme(headers, "www-authenticate");
    else if (status === 407) this.bound ||= hasScheme(headers, "proxy-authenticate");
  }
}

function hasScheme(headers: readonly string[], name: string): boolean {
  for (let index = 0; index < headers.length; index += 2) {
    const found = headers[index] as string;
    if (found.length !== name.length || found.toLowerCase() !== name) continue;
    if (scheme.test(headers[index + 1] as string)) return true;
  }
  return false;
}
