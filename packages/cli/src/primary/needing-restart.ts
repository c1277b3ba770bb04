import type { FileConfig } from "@evenkeel/config";

/** Returns the changed settings that take effect only when the process starts. */
export function needingRestart(opened: FileConfig, now: FileConfig): string[] {
  const differ = (a: unknown, b: unknown) => JSON.stringify(a) !== JSON.stringify(b);
  return [
    ...(differ(opened.server.listen, now.server.listen) ? ["server.listen"] : []),
    ...((opened.server.tls === undefined) !== (now.server.tls === undefined) ? ["server.tls"] : []),
    ...(differ(opened.server.workers, now.server.workers) ? ["server.workers"] : []),
    ...(differ(opened.tracing, now.tracing) ? ["tracing"] : []),
    ...(differ(opened.admin?.listen, now.admin?.listen) ? ["admin.listen"] : []),
  ];
}
