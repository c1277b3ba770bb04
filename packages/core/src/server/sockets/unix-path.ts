import { once } from "node:events";
import { linkSync, lstatSync, renameSync, unlinkSync } from "node:fs";
import { connect } from "node:net";
import path from "node:path";
import { limits } from "../limits.ts";

/** Bytes of `sun_path`, without the zero byte at its end. */
const maxPathBytes = process.platform === "linux" ? 107 : 103;

let count = 0;

/**
 * The path of a Unix socket. The socket is bound to a temporary name in the same folder and gets its path afterwards.
 *
 * So a process replaces the socket of its predecessor without a moment at which nothing listens, and libuv, which removes the
 * name that a socket was bound to when it closes, never removes the path: a successor may have it.
 */
export class UnixPath {
  readonly temporary: string;
  readonly #path: string;
  /** Replaces the socket at the path. Otherwise there must be none. */
  readonly #replaces: boolean;
  #own: string | undefined;

  /** Checks that the path is free, or has a socket that may be replaced: a stale one, or the predecessor's. */
  static async claim(socketPath: string, ofPredecessor: boolean): Promise<UnixPath> {
    const temporary = path.join(path.dirname(socketPath), `.ek${process.pid.toString(36)}.${(count++).toString(36)}`);
    checkLength(socketPath, temporary);
    if (identityOf(socketPath) === undefined) return new UnixPath(socketPath, temporary, false);
    if (!isSocket(socketPath)) throw inUse();
    if (!ofPredecessor && !(await isStale(socketPath))) throw inUse();
    return new UnixPath(socketPath, temporary, true);
  }

  private constructor(socketPath: string, temporary: string, replaces: boolean) {
    this.#path = socketPath;
    this.temporary = temporary;
    this.#replaces = replaces;
    // Left by a crashed process with the same id, as in containers.
    removeSocket(temporary);
  }

  /** Gives the bound socket its path. */
  publish(): void {
    const own = identityOf(this.temporary);
    if (this.#replaces) renameSync(this.temporary, this.#path);
    else this.#moveToFreePath();
    this.#own = own;
  }

  /** Removes the path, unless another process has replaced the socket. */
  remove(): void {
    if (this.#own === undefined || identityOf(this.#path) !== this.#own) return;
    this.#own = undefined;
    removeSocket(this.#path);
  }

  /** Unlike a rename, a link fails when another process has just taken the path. */
  #moveToFreePath(): void {
    try {
      linkSync(this.temporary, this.#path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") throw inUse();
      // Not every file system has links.
      return renameSync(this.temporary, this.#path);
    }
    unlinkSync(this.temporary);
  }
}

/** A longer path would be cut off by Node, and the socket would have another one. */
function checkLength(socketPath: string, temporary: string): void {
  const [wanted, needed] = [Buffer.byteLength(socketPath), Buffer.byteLength(temporary)];
  if (Math.max(wanted, needed) <= maxPathBytes) return;
  const most = maxPathBytes - Math.max(0, needed - wanted);
  throw Object.assign(new Error(`the path is too long, at most ${most} bytes are possible`), { code: "ENAMETOOLONG" });
}

function inUse(): Error {
  return Object.assign(new Error("the path is in use"), { code: "EADDRINUSE" });
}

/**
 * Device and inode: no other file has them while the socket is open. Undefined if there is no file.
 *
 * As BigInts: behind other stats of a socket, Node 20 loads modules by the paths of their links, and so other versions of them.
 */
function identityOf(file: string): string | undefined {
  const stats = lstatSync(file, { bigint: true, throwIfNoEntry: false });
  return stats && `${stats.dev}:${stats.ino}`;
}

function isSocket(file: string): boolean {
  return lstatSync(file, { bigint: true, throwIfNoEntry: false })?.isSocket() === true;
}

function removeSocket(file: string): void {
  try {
    if (isSocket(file)) unlinkSync(file);
  } catch {
    // It is gone, or its folder has become read-only.
  }
}

/** Returns whether there was a Unix socket of a process that crashed. */
export async function removeStale(socketPath: string): Promise<boolean> {
  if (!isSocket(socketPath) || !(await isStale(socketPath))) return false;
  removeSocket(socketPath);
  return true;
}

/** Whether a Unix socket was left behind by a process that crashed: its file exists, and connections to it are refused. */
async function isStale(socketPath: string): Promise<boolean> {
  const socket = connect(socketPath);
  try {
    await once(socket, "connect", { signal: AbortSignal.timeout(limits.socketProbeMs) });
    return false;
  } catch (failure) {
    return (failure as NodeJS.ErrnoException).code === "ECONNREFUSED";
  } finally {
    socket.destroy();
  }
}
