import type { Request } from "express";

/** A request target without the path that something is mounted at. */
interface Below {
  /** In the client's letter case, as Express gives it in `req.baseUrl`. */
  readonly mountPath: string;
  readonly rest: string;
  /** `rest` begins with a slash that the client did not send. */
  readonly slashAdded: boolean;
}

/** Whether Express has put the slash in front of `req.url`, since the client's path ends with the mount path. */
export function isSlashAdded({ url, baseUrl, originalUrl }: Request): boolean {
  if (baseUrl === "" || !(url === "/" || url.startsWith("/?") || /^https?:\/\/[^/?]*(?:\?|$)/i.test(url))) return false;
  return originalUrl.split("?", 1).join().endsWith(baseUrl);
}

/**
 * Takes a prefix off a request target; undefined when the target lies elsewhere. Whole segments count, in any letter case, as in
 * `app.use` of an app that does not set "case sensitive routing".
 */
export function takeOff(prefix: string, url: string): Below | undefined {
  const mountPath = url.slice(0, prefix.length);
  if (mountPath.toLowerCase() !== prefix.toLowerCase()) return undefined;
  const rest = url.slice(prefix.length);
  if (prefix === "" || rest.startsWith("/")) return { mountPath, rest, slashAdded: false };
  return rest === "" || rest.startsWith("?") ? { mountPath, rest: `/${rest}`, slashAdded: true } : undefined;
}
