import { loadConfig, watchConfig } from "@evenkeel/config";
import { openDiagnostics } from "../log/diagnostics.ts";
import type { StandaloneServer } from "../primary/standalone-server.ts";
import { serve, tryReload } from "./serve.ts";

export interface RunOptions {
  /** Reloads when the file, or a certificate or key file that it names, changes. */
  readonly watch?: boolean;
}

/** Serves a configuration file until a signal stops the server. */
export async function run(file: string, { watch = false }: RunOptions): Promise<void> {
  const diagnostics = openDiagnostics();
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
      onReady(started) {
        server = started;
        if (changedAtStart) tryReload(started);
      },
    });
  } finally {
    watcher?.close();
    await diagnostics.close();
  }
}
