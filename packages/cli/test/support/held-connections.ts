import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** The client's ports of the connections to a port that a process holds, from /proc. */
export function heldConnections(pid: number, port: number): ReadonlySet<number> {
  const own = new Set(socketsOf(pid));
  const held = new Set<number>();
  // The list is read in pages, and lacks lines when connections close meanwhile.
  for (let read = 0; read < 5; read++) {
    for (const line of readFileSync("/proc/net/tcp", "latin1").split("\n").slice(1)) {
      const [, local = "", remote = "", , , , , , , inode = ""] = line.trim().split(/\s+/);
      if (portOf(local) === port && own.has(inode)) held.add(portOf(remote));
    }
  }
  return held;
}

function socketsOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((name) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${name}`))?.[1] ?? [];
    } catch {
      // It has been closed meanwhile.
      return [];
    }
  });
}

/** An address of /proc/net/tcp is "0100007F:1F90". */
function portOf(address: string): number {
  return Number.parseInt(address.split(":")[1] ?? "", 16);
}
