import { readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { Failure, reasonOf } from "../failure.ts";

/** A file with the id of the process that serves, for service managers and scripts. A restart in place changes its content. */
export class PidFile {
  readonly #path: string;
  readonly #temporary: string;

  /** Writes the id to a temporary file beside it: what can fail comes before the process serves. Throws a `Failure`. */
  static prepare(path: string): PidFile {
    const file = new PidFile(path);
    file.#attempt(() => writeFileSync(file.#temporary, `${process.pid}\n`));
    return file;
  }

  private constructor(path: string) {
    this.#path = path;
    this.#temporary = `${path}.${process.pid}`;
  }

  /** Replaces the file as a whole, so that a reader never sees a part. Throws a `Failure`. */
  publish(): void {
    this.#attempt(() => renameSync(this.#temporary, this.#path));
  }

  /** Removes the file, unless it names another process. */
  remove(): void {
    try {
      rmSync(this.#temporary, { force: true });
      if (readFileSync(this.#path, "utf8").trim() === String(process.pid)) unlinkSync(this.#path);
    } catch {
      // It is gone already.
    }
  }

  #attempt(write: () => void): void {
    try {
      write();
    } catch (error) {
      throw new Failure(`the pid file ${this.#path} cannot be written: ${reasonOf(error)}`);
    }
  }
}
