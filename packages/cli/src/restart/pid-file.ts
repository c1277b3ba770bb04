import { readFileSync, renameSync, unlinkSync, writeFileSync } from "node:fs";
import { Failure, reasonOf } from "../failure.ts";

/** A file with the id of the process that serves, for service managers and scripts. A restart in place changes its content. */
export class PidFile {
  readonly #path: string;

  /** Replaces the file as a whole, so that a reader never sees a part. Throws a `Failure`. */
  static write(path: string): PidFile {
    try {
      replaceFile(path, `${process.pid}\n`);
    } catch (error) {
      throw new Failure(`the pid file ${path} cannot be written: ${reasonOf(error)}`);
    }
    return new PidFile(path);
  }

  private constructor(path: string) {
    this.#path = path;
  }

  /** Removes the file, unless it names another process by now. */
  remove(): void {
    try {
      if (readFileSync(this.#path, "utf8").trim() === String(process.pid)) unlinkSync(this.#path);
    } catch {
      // It is gone already.
    }
  }
}

function replaceFile(path: string, content: string): void {
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, content);
  try {
    renameSync(temporary, path);
  } catch (error) {
    unlinkSync(temporary);
    throw error;
  }
}
