import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import path from "node:path";
import type { AdminResponse } from "./response.ts";

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".woff2": "font/woff2",
  ".json": "application/json; charset=utf-8",
  ".txt": "text/plain; charset=utf-8",
};

/** An icon may be old for an hour, so that it can be shown while the server is away. All else is asked for each time. */
const icons = ".svg";
const iconSeconds = 3_600;

/**
 * The page runs code and loads files of its own origin only, and nothing of it is written into the page itself. It cannot be put
 * into a frame, where another page could have a user click its buttons.
 */
const securityHeaders = {
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; "),
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
  "referrer-policy": "no-referrer",
  "x-frame-options": "DENY",
};

interface StaticFile {
  readonly type: string;
  readonly body: Buffer;
  readonly etag: string;
}

/** The files of a folder, in memory: a request names one of them or nothing, so no path leads out of the folder. */
export class StaticFiles {
  readonly #folder: string;
  #files: ReadonlyMap<string, StaticFile> | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** `name` is relative to the folder, with slashes. Undefined if there is no such file. The folder is read once. */
  respond(req: IncomingMessage, name: string): AdminResponse | undefined {
    this.#files ??= readFiles(this.#folder);
    const file = this.#files.get(name);
    if (file === undefined) return undefined;
    const { type, body, etag } = file;
    const caching = name.endsWith(icons) ? `max-age=${iconSeconds}` : "no-cache";
    const headers = { ...securityHeaders, etag, "cache-control": caching };
    if (matches(req.headers["if-none-match"], etag)) return { status: 304, type, body: "", headers };
    return { status: 200, type, body, headers };
  }
}

/** Files of other types are left out. Without the folder there are none. */
function readFiles(folder: string): ReadonlyMap<string, StaticFile> {
  const files = new Map<string, StaticFile>();
  for (const entry of entriesOf(folder)) {
    const type = types[path.extname(entry)];
    if (type === undefined) continue;
    const body = readFileSync(path.join(folder, entry));
    const etag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`;
    files.set(entry.split(path.sep).join("/"), { type, body, etag });
  }
  return files;
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: "utf8" });
  } catch {
    return [];
  }
}

/** Weak comparison of RFC 9110 section 13.1.2. */
function matches(condition: string | undefined, etag: string): boolean {
  const tags = (condition ?? "").split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  return tags.includes("*") || tags.includes(etag);
}
