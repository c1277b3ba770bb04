import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { limits } from "./defaults.ts";
import { findReferencedFiles } from "./interpolate/referenced-files.ts";
import type { LoadConfigOptions } from "./load-config.ts";
import { FileReadError, readFile } from "./read-file.ts";

export interface ConfigWatcher {
  /** Stops watching. The callback is not called again. */
  close(): void;
}

/**
 * Calls back after the content of a configuration file, or of a certificate or key file that it names, has changed and no
 * file changes any more. The first content to compare with is the one at the time of this call, so start watching before
 * loading. A missing file counts as unchanged until it exists again.
 *
 * Polls the files a few times a second instead of using notifications of the system. So it also notices editors that
 * replace the file, symbolic links that change their target (Kubernetes, certbot), and changes on network file systems.
 * Never keeps the process alive.
 */
export function watchConfig(path: string, onChange: () => void, options: LoadConfigOptions = {}): ConfigWatcher {
  const watch = new WatchedFiles(resolve(path), options.env ?? process.env);
  let closed = false;
  let timer = setTimeout(onTimer, limits.watchIntervalMs).unref();

  function onTimer(): void {
    void watch.poll().then((stable) => {
      if (closed) return;
      timer = setTimeout(onTimer, limits.watchIntervalMs).unref();
      if (stable && watch.detectChange()) onChange();
    });
  }

  return {
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}

/** A configuration file with the files that it names, and the last known content of each. */
class WatchedFiles {
  readonly #file: string;
  readonly #env: NonNullable<LoadConfigOptions["env"]>;
  /** Content hashes by absolute path, the configuration file first. Undefined for a missing file. */
  #hashes: ReadonlyMap<string, string | undefined>;
  #lastState: string | undefined;
  #changing = false;

  constructor(file: string, env: NonNullable<LoadConfigOptions["env"]>) {
    this.#file = file;
    this.#env = env;
    this.#hashes = new Map([file, ...(findReferencedFiles(file, env) ?? [])].map((path) => [path, contentHash(path)]));
  }

  /** Resolves to true when the state of the files had changed in the last poll and is the same in this one. */
  async poll(): Promise<boolean> {
    const states: string[] = [];
    // One file at a time: a poll must not fill the thread pool, which DNS lookups share.
    for (const path of this.#hashes.keys()) states.push(await statFingerprint(path));
    const state = states.join("\n");
    const stable = this.#changing && state === this.#lastState;
    this.#changing = state !== this.#lastState;
    this.#lastState = state;
    return stable;
  }

  /** Whether the content of a file has changed. Adds the files that the configuration names for the first time. */
  detectChange(): boolean {
    const before = this.#hashes;
    const after = new Map([...before].map(([path, known]) => [path, contentHash(path) ?? known]));
    const changed = [...after].some(([path, content]) => content !== before.get(path));
    if (!changed) return false;
    // A configuration with a syntax error names no files: the files that it named before stay watched.
    const named = findReferencedFiles(this.#file, this.#env);
    const paths = named === undefined ? [...after.keys()] : [this.#file, ...named];
    this.#hashes = new Map(paths.map((path) => [path, after.has(path) ? after.get(path) : contentHash(path)]));
    return true;
  }
}

/** Returns a string that differs after every change of a file. It may differ without one, and costs less than the content. */
async function statFingerprint(file: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(" ");
  } catch {
    return "gone";
  }
}

/** Returns a hash of a file's content, the error message for an unreadable file, and undefined for a missing one. */
function contentHash(file: string): string | undefined {
  try {
    return createHash("sha256").update(readFile(file, limits.fileBytes)).digest("hex");
  } catch (error) {
    if (!(error instanceof FileReadError)) throw error;
    return error.kind === "missing" ? undefined : error.message;
  }
}
