import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { limits } from "./defaults.ts";
import { findReferencedFiles } from "./interpolate/referenced-files.ts";
import type { LoadConfigOptions } from "./load-config.ts";
import { FileProblem, readFile } from "./read-file.ts";

export interface ConfigWatcher {
  /** Stops watching; the callback is not called any more. */
  close(): void;
}

/**
 * Calls back when the content of a configuration file, or of a certificate or key file that it names, has changed and
 * all of them have come to rest. The content at the time of this call is the first to compare with, so start watching
 * before loading. A file that is gone counts as unchanged until it is back.
 *
 * Compares the state of the files a few times a second and uses no notification of the system, so it notices editors that
 * replace the file, symbolic links that are pointed elsewhere (Kubernetes, certbot) and network file systems alike. Never
 * keeps the process alive.
 */
export function watchConfig(path: string, onChange: () => void, options: LoadConfigOptions = {}): ConfigWatcher {
  const watch = new FilesWatch(resolve(path), options.env ?? process.env);
  let closed = false;
  let timer = setTimeout(onTimer, limits.watchIntervalMs).unref();

  function onTimer(): void {
    void watch.look().then((rested) => {
      if (closed) return;
      timer = setTimeout(onTimer, limits.watchIntervalMs).unref();
      if (rested && watch.compare()) onChange();
    });
  }

  return {
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}

/** A configuration file with the files that it names, and what was last known of each. */
class FilesWatch {
  readonly #file: string;
  readonly #env: NonNullable<LoadConfigOptions["env"]>;
  /** By absolute path, the configuration itself first. Undefined for a file that is missing. */
  #contents: ReadonlyMap<string, string | undefined>;
  #seen: string | undefined;
  #restless = false;

  constructor(file: string, env: NonNullable<LoadConfigOptions["env"]>) {
    this.#file = file;
    this.#env = env;
    this.#contents = new Map(
      [file, ...(findReferencedFiles(file, env) ?? [])].map((path) => [path, fingerprint(path)]),
    );
  }

  /** Looks at every file, and resolves to whether something has changed and two looks in a row have seen the same. */
  async look(): Promise<boolean> {
    const states: string[] = [];
    // One after the other: a look must not fill the thread pool, which DNS lookups share.
    for (const path of this.#contents.keys()) states.push(await stateOf(path));
    const now = states.join("\n");
    const rested = this.#restless && now === this.#seen;
    this.#restless = now !== this.#seen;
    this.#seen = now;
    return rested;
  }

  /** Whether the content of a file differs from what was known. Files that the configuration names only now are added. */
  compare(): boolean {
    const before = this.#contents;
    const after = new Map([...before].map(([path, known]) => [path, fingerprint(path) ?? known]));
    const changed = [...after].some(([path, content]) => content !== before.get(path));
    if (!changed) return false;
    // A file with a syntax error names nothing: what it named before may be what is wrong.
    const named = findReferencedFiles(this.#file, this.#env);
    const paths = named === undefined ? [...after.keys()] : [this.#file, ...named];
    this.#contents = new Map(paths.map((path) => [path, after.has(path) ? after.get(path) : fingerprint(path)]));
    return true;
  }
}

/** Differs whenever the file has changed. Cheaper than its content, and says no more than that it may have changed. */
async function stateOf(file: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(" ");
  } catch {
    return "gone";
  }
}

/** The same for the same content; for a file that cannot be read, the reason; undefined for a missing file. */
function fingerprint(file: string): string | undefined {
  try {
    return createHash("sha256").update(readFile(file, limits.fileBytes)).digest("hex");
  } catch (error) {
    if (!(error instanceof FileProblem)) throw error;
    return error.kind === "missing" ? undefined : error.message;
  }
}
