import { fork } from "node:child_process";
import { protocol, protocolVariable } from "./protocol.ts";
import { Successor, type SuccessorHost, sharedDescriptors } from "./successor.ts";

/** Starts the command of this process again, with the code that its path leads to now. */
export function startSuccessor(host: SuccessorHost): Successor {
  const [, path = "", ...args] = process.argv;
  const descriptors = sharedDescriptors(host).map(({ fd }) => fd);
  const child = fork(path, args, {
    env: { ...process.env, [protocolVariable]: String(protocol) },
    stdio: ["inherit", "inherit", "inherit", "ipc", ...descriptors],
  });
  return new Successor(child, host);
}
