import { constants } from "node:fs";
import { open, stat } from "node:fs/promises";
import { limits } from "../config/defaults.ts";

/**
 * A small system file, parsed again when it has changed. A file that is missing, too large or not regular counts as empty. While
 * it cannot be read, the last content stays in use.
 */
export class LocalFile<T> {
  readonly #path: string;
  readonly #parse: (text: string) => T;
  #mark: string | undefined;
  #parsed: T;
  #check: Promise<void> | undefined;

  constructor(path: string, parse: (text: string) => T) {
    this.#path = path;
    this.#parse = parse;
    this.#parsed = parse("");
  }

  async read(): Promise<T> {
    this.#check ??= this.#update().finally(() => {
      this.#check = undefined;
    });
    await this.#check;
    return this.#parsed;
  }

  async #update(): Promise<void> {
    const mark = await stat(this.#path).then(
      ({ ino, size, mtimeMs, ctimeMs }) => `${ino} ${size} ${mtimeMs} ${ctimeMs}`,
      () => "missing",
    );
    if (mark === this.#mark) return;
    try {
      this.#parsed = this.#parse(mark === "missing" ? "" : await readRegular(this.#path));
      this.#mark = mark;
    } catch {
      // No file descriptor left, or just deleted: the next read tries again.
    }
  }
}

/** Opens without blocking: a FIFO without a writer would block a thread forever. */
async function readRegular(path: string): Promise<string> {
  // Windows has no O_NONBLOCK, and no FIFOs in its file system.
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const info = await file.stat();
    return info.isFile() && info.size <= limits.localFileBytes ? await file.readFile("latin1") : "";
  } finally {
    await file.close();
  }
}
