import { loadConfig, watchConfig } from "@evenkeel/config";
import { openDiagnostics } from "../log/diagnostics.ts";
import { serve, tryReload } from "./serve.ts";

export interface RunOptions {
  /** Reload when the file changes. */
  readonly watch?: boolean;
}

/** Serves what a configuration file says, until a signal ends it. */
export async function run(file: string, { watch = false }: RunOptions): Promise<void> {
  const diagnostics = await openDiagnostics();
  try {
    await serve(() => loadConfig(file), diagnostics, {
      onReady(server) {
        if (watch) watchConfig(file, () => tryReload(server));
      },
    });
  } finally {
    await diagnostics.close();
  }
}
