import { loadConfig, watchConfig } from "@evenkeel/config";
import { type ListenFd, parseListenFds } from "evenkeel/server";
import { messageOf } from "../failure.ts";
import { openDiagnostics } from "../log/diagnostics.ts";
import type { StandaloneServer } from "../primary/standalone-server.ts";
import { findPredecessor } from "../restart/predecessor.ts";
import { serve, tryReload } from "./serve.ts";

export interface RunOptions {
  /** Reloads when the file, or a certificate or key file that it names, changes. */
  readonly watch?: boolean;
  /** A file that gets the process id once the command serves. */
  readonly pidFile?: string;
}

/** Serves a configuration file until a signal stops the server. */
export async function run(file: string, { watch = false, pidFile }: RunOptions): Promise<void> {
  const diagnostics = openDiagnostics();
  const predecessor = findPredecessor();
  let server: StandaloneServer | undefined;
  let changedAtStart = false;
  const onChange = () => {
    if (server === undefined) changedAtStart = true;
    else tryReload(server);
  };
  // Starts before the first load, so that a change between the two is not missed.
  const watcher = watch ? watchConfig(file, onChange) : undefined;
  try {
    await serve(() => loadConfig(file), diagnostics, {
      restartable: true,
      predecessor,
      listenFds: takeListenFds(),
      pidFile,
      onReady(started) {
        server = started;
        if (changedAtStart) tryReload(started);
      },
    });
  } catch (error) {
    await predecessor?.failed(messageOf(error));
    throw error;
  } finally {
    watcher?.close();
    await diagnostics.close();
  }
}

/** The sockets of systemd are for this process, not for those that it starts. */
function takeListenFds(): readonly ListenFd[] {
  const fds = parseListenFds(process.env, process.pid);
  for (const name of ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"]) delete process.env[name];
  return fds;
}
