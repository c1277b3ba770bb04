import { closeSync, readFileSync, readlinkSync, realpathSync } from "node:fs";
import path from "node:path";
import { limits } from "../limits.ts";

/** A listening socket that systemd has opened for this process, `sd_listen_fds(3)`. */
export interface ListenFd {
  readonly fd: number;
  /** `FileDescriptorName=` of the socket unit; the name of the unit by default. */
  readonly name: string;
}

/** The first descriptor, SD_LISTEN_FDS_START. */
const firstFd = 3;

/** Reads LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES. The descriptors are for the process with the id in LISTEN_PID only. */
export function parseListenFds(env: Readonly<Record<string, string | undefined>>, pid: number): readonly ListenFd[] {
  const { LISTEN_FDS: count = "", LISTEN_PID: owner, LISTEN_FDNAMES: names = "" } = env;
  if (owner !== String(pid) || !/^[1-9]\d{0,5}$/.test(count)) return [];
  const given = names.split(":");
  return Array.from({ length: Math.min(Number(count), limits.listenFds) }, (_, index) => ({
    fd: firstFd + index,
    name: given[index] || "unknown",
  }));
}

/**
 * Returns the path of a Unix socket that listens; undefined for any other descriptor. Only the system knows it: Node has no
 * `getsockname` for Unix sockets. An abstract name begins with "@".
 */
export function listeningPathOf(fd: number): string | undefined {
  const inode = /^socket:\[(\d+)\]$/.exec(orUndefined(() => readlinkSync(`/proc/self/fd/${fd}`)) ?? "")?.[1];
  const table = inode && orUndefined(() => readFileSync("/proc/self/net/unix", "utf8"));
  // Num RefCount Protocol Flags Type St Inode Path. The flag is __SO_ACCEPTCON.
  return table ? new RegExp(`^\\S+ \\S+ \\S+ 00010000 \\S+ \\S+ +${inode} (.+)$`, "m").exec(table)?.[1] : undefined;
}

/** Whether two paths lead to the same file name in the same folder. */
export function isSamePath(one: string, other: string): boolean {
  return resolved(one) === resolved(other);
}

/** Closes a descriptor that no server uses. */
export function closeFd(fd: number): void {
  orUndefined(() => closeSync(fd));
}

function resolved(file: string): string {
  const folder = path.resolve(path.dirname(file));
  return path.join(orUndefined(() => realpathSync(folder)) ?? folder, path.basename(file));
}

function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
