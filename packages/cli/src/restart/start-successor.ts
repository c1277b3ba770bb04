import { fork } from "node:child_process";
import { protocol, protocolVariable } from "./protocol.ts";
import { Successor, type SuccessorHost } from "./successor.ts";

/** Starts the command of this process again, with the code that its path leads to now. */
export function startSuccessor(host: SuccessorHost): Successor {
  const [, path = "", ...args] = process.argv;
  // Descriptors of systemd are those of this process. The successor gets the sockets themselves.
  const { LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES, ...env } = process.env;
  const child = fork(path, args, {
    env: { ...env, [protocolVariable]: String(protocol) },
    stdio: ["inherit", "inherit", "inherit", "ipc"],
  });
  return new Successor(child, host);
}
