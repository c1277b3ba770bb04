import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { limits } from "./defaults.ts";
import { FileProblem, readFile } from "./read-file.ts";

export interface ConfigWatcher {
  /** Stops watching; the callback is not called any more. */
  close(): void;
}

/**
 * Calls back when the content of a file has changed and the file has come to rest. The content at the time of this
 * call is the first to compare with, so start watching before loading. A file that is gone counts as unchanged until
 * it is back.
 *
 * Looks at the file a few times a second rather than waiting for the system to tell: that sees through editors that
 * put another file in its place, links that are pointed elsewhere, and network file systems alike. Never keeps the
 * process alive.
 */
export function watchConfig(path: string, onChange: () => void): ConfigWatcher {
  const file = resolve(path);
  let content = fingerprint(file);
  let look: string | undefined;
  let restless = false;
  let closed = false;
  let timer = setTimeout(onTimer, limits.watchIntervalMs).unref();

  function onTimer(): void {
    void lookAt(file).then((now) => {
      if (closed) return;
      timer = setTimeout(onTimer, limits.watchIntervalMs).unref();
      const rested = restless && now === look;
      restless = now !== look;
      look = now;
      if (rested) compare();
    });
  }

  function compare(): void {
    const now = fingerprint(file);
    if (now === undefined || now === content) return;
    content = now;
    onChange();
  }

  return {
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}

/** What changes whenever the file does. Cheaper than its content, and says no more than that it may have changed. */
async function lookAt(file: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(" ");
  } catch {
    return "gone";
  }
}

/** Something that is the same for the same content, an unreadable one included; undefined for a missing file. */
function fingerprint(file: string): string | undefined {
  try {
    return createHash("sha256").update(readFile(file, limits.fileBytes)).digest("hex");
  } catch (error) {
    if (!(error instanceof FileProblem)) throw error;
    return error.kind === "missing" ? undefined : error.message;
  }
}
