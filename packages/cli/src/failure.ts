import type { ConfigError } from "@evenkeel/config";

/** The exit codes of the process. */
export const exitCodes = { ok: 0, failed: 1, config: 2 } as const;

/** An error that ends a command. The user gets the message in one line, without a stack. */
export class Failure extends Error {
  /** For programs: one of docs/operations.md, or the code of the admin API. */
  readonly code: string;

  constructor(message: string, code = "failed") {
    super(message);
    this.code = code;
  }
}

/** What a command prints with --json when it fails. */
export function toErrorDocument(error: unknown): object {
  if (error instanceof Failure) return { error: { code: error.code, message: error.message } };
  const { kind, mistakes = [] } = error as Partial<ConfigError>;
  if (kind === undefined) return { error: { code: "failed", message: messageOf(error) } };
  return { error: { code: kind === "invalid" ? "invalid_options" : kind, message: messageOf(error), mistakes } };
}

/**
 * Returns 2 for a mistake in the configuration, and 1 for every other error, an unreadable file included. What a running proxy
 * reports is no mistake in the configuration of this command, whatever its code.
 */
export function exitCodeOf(error: unknown): number {
  if (error instanceof Failure) return exitCodes.failed;
  const { code, kind } = error as Partial<ConfigError>;
  const unreadable = kind === "missing" || kind === "unreadable";
  return code === "invalid_options" && !unreadable ? exitCodes.config : exitCodes.failed;
}

/** Returns the message of a thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Returns the meaning of a system error, without the system call and the path in Node's message. */
export function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  return reasons[code] ?? messageOf(error);
}

const reasons: Readonly<Record<string, string>> = {
  ABORT_ERR: "no response in time",
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
  ENOTFOUND: "the name cannot be resolved",
  EPERM: "not permitted",
  EROFS: "the file system is read-only",
};
