import type { IncomingMessage } from "node:http";
import { fileURLToPath } from "node:url";
import { HttpError } from "../http/http-error.ts";
import type { AdminResponse } from "../http/response.ts";
import { StaticFiles } from "../http/static-files.ts";

/** The folder that the build makes of packages/admin/dashboard, from the source and from the compiled package alike. */
const folder = fileURLToPath(new URL("../../dist/dashboard", import.meta.url));

/** The page and its files. All URLs in it are relative, so it works at any path that ends with a slash. */
export class Dashboard {
  readonly #files = new StaticFiles(folder);

  page(req: IncomingMessage): AdminResponse {
    return redirectToSlash(req) ?? this.file(req, "index.html");
  }

  file(req: IncomingMessage, name: string): AdminResponse {
    const file = this.#files.respond(req, name);
    if (file === undefined) throw new HttpError(404, "not_found", "there is nothing at this path");
    return file;
  }
}

/**
 * An app that mounts the API at /admin passes requests for /admin and for /admin/ as "/", and the whole URL as `originalUrl`.
 * The Location is relative to the last slash, and so never leads to another host.
 */
function redirectToSlash(req: IncomingMessage): AdminResponse | undefined {
  const { originalUrl = "" } = req as { readonly originalUrl?: unknown };
  const [, path = "", query = ""] = /^([^?#]*)(\?[^#]*)?/s.exec(String(originalUrl)) ?? [];
  if (path === "" || path.endsWith("/")) return undefined;
  const last = path.slice(path.lastIndexOf("/") + 1);
  const headers = { location: `./${last}/${query}`, "cache-control": "no-cache" };
  return { status: 308, type: "text/plain; charset=utf-8", body: "", headers };
}
