import { formatListenAddress, type ListenAddress } from "../../config/listen-address.ts";

/** An address cannot be listened on. The message has the address and the reason. */
export class ListenError extends Error {
  /** Of the system, such as EADDRINUSE. */
  readonly code: string;
  /** As in the options. */
  readonly address: string;

  constructor(address: ListenAddress, cause: unknown) {
    super(`cannot listen on ${formatListenAddress(address)}: ${hintFor(cause, address)}`, { cause });
    this.name = "ListenError";
    this.code = (cause as NodeJS.ErrnoException).code ?? "";
    this.address = formatListenAddress(address);
  }
}

function hintFor(error: unknown, address: ListenAddress): string {
  const { code = "", message } = error as NodeJS.ErrnoException;
  if (code === "EACCES" && "port" in address && address.port < 1024) {
    return "permission denied; ports below 1024 are for privileged processes";
  }
  if (code === "EADDRINUSE" && "port" in address) return "the port is taken, another process is listening there";
  return reasons[code] ?? message;
}

/** The meaning of system errors, without the system call and the path in Node's messages. */
const reasons: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EADDRINUSE: "something else is listening there already",
  EADDRNOTAVAIL: "this machine has no such address",
  EBADF: "the descriptor is not open",
  EINVAL: "the descriptor is no listening socket",
  EMFILE: "too many open files",
  ENOENT: "there is no such file or directory",
  ENOTDIR: "a part of the path is not a directory",
  ENOTFOUND: "the name cannot be resolved",
  EPERM: "not permitted",
  EROFS: "the file system is read-only",
};
