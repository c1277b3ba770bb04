import type { Request } from "express";

/** A request target without its mount path. */
interface StrippedTarget {
  /** In the letter case of the client, like `req.baseUrl` of Express. */
  readonly mountPath: string;
  readonly rest: string;
  /** `rest` begins with a slash that the client did not send. */
  readonly slashAdded: boolean;
}

/** Whether Express has added the slash at the start of `req.url`, because the client's path ends with the mount path. */
export function isSlashAdded({ url, baseUrl, originalUrl }: Request): boolean {
  if (baseUrl === "" || !(url === "/" || url.startsWith("/?") || /^https?:\/\/[^/?]*(?:\?|$)/i.test(url))) return false;
  return originalUrl.split("?", 1).join().endsWith(baseUrl);
}

/**
 * Strips a prefix from a request target. Returns undefined for a target outside the prefix. Compares whole segments and ignores
 * their letter case, like `app.use` of an app that does not set "case sensitive routing".
 */
export function stripMountPath(prefix: string, url: string): StrippedTarget | undefined {
  const mountPath = url.slice(0, prefix.length);
  if (mountPath.toLowerCase() !== prefix.toLowerCase()) return undefined;
  const rest = url.slice(prefix.length);
  if (prefix === "" || rest.startsWith("/")) return { mountPath, rest, slashAdded: false };
  return rest === "" || rest.startsWith("?") ? { mountPath, rest: `/${rest}`, slashAdded: true } : undefined;
}
