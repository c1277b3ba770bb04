import type { ConfigError } from "@evenkeel/config";

/** How the process ends. */
export const exitCodes = { ok: 0, failed: 1, config: 2 } as const;

/** What a command cannot go on after, in words for the user: one clear line, no stack. */
export class Failure extends Error {}

/** 2 for what the user has to mend in the configuration, 1 for everything else, a file that cannot be read included. */
export function exitCodeOf(error: unknown): number {
  const { code, kind } = error as Partial<ConfigError>;
  const unreadable = kind === "missing" || kind === "unreadable";
  return code === "invalid_options" && !unreadable ? exitCodes.config : exitCodes.failed;
}

/** What was thrown, in words. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What a system call's error means, without the call and the path that node puts around it. */
export function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  return reasons[code] ?? messageOf(error);
}

const reasons: Readonly<Record<string, string>> = {
  ABORT_ERR: "there is no response in time",
  EACCES: "permission denied",
  EADDRINUSE: "something else is listening there already",
  EADDRNOTAVAIL: "this machine has no such address",
  ECONNRESET: "the connection was reset",
  ECONNREFUSED: "nothing is listening there",
  EISDIR: "it is a directory",
  EMFILE: "too many open files",
  ENOENT: "there is no such file or directory",
  ENOSPC: "the disk is full",
  ENOTDIR: "a part of the path is not a directory",
  ENOTFOUND: "the name is not known",
  EPERM: "not permitted",
  EROFS: "the file system is read-only",
};
