import { fork } from "node:child_process";
import { Failure, messageOf } from "../failure.ts";
import { protocol, protocolVariable } from "./protocol.ts";
import { Successor, type SuccessorHost, sharedDescriptors } from "./successor.ts";

/** Starts the command of this process again, with the code that its path leads to now. Throws a `Failure`. */
export function startSuccessor(host: SuccessorHost): Successor {
  const [, path = "", ...args] = process.argv;
  const descriptors = sharedDescriptors(host).map(({ fd }) => fd);
  const env = { ...process.env, [protocolVariable]: String(protocol) };
  try {
    return new Successor(
      fork(path, args, { env, stdio: ["inherit", "inherit", "inherit", "ipc", ...descriptors] }),
      host,
    );
  } catch (error) {
    // Other errors of the system come as an event.
    throw new Failure(`it could not be started: ${messageOf(error)}`);
  }
}
