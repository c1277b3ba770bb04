import { readFileSync } from "node:fs";

/** What decides whether a process can be replaced in place. */
export interface ProcessPlace {
  readonly pid: number;
  readonly ppid: number;
  /** The name of the program with process id 1; undefined if it cannot be read. */
  readonly init: string | undefined;
}

/** Programs that run one command in a container, and end with it. */
const containerInits = new Set(["tini", "docker-init", "dumb-init", "catatonit"]);

/** Returns why a process cannot be replaced in place; undefined if it can. */
export function restartRefusal({ pid, ppid, init }: ProcessPlace): string | undefined {
  const instead = "replace the container instead";
  if (pid === 1) return `process 1 cannot be replaced in place: its container would end with it; ${instead}`;
  if (ppid === 1 && init !== undefined && containerInits.has(init)) {
    return `a command of ${init} cannot be replaced in place: the container would end with it; ${instead}`;
  }
  return undefined;
}

export function placeOfProcess(): ProcessPlace {
  return { pid: process.pid, ppid: process.ppid, init: nameOfInit() };
}

function nameOfInit(): string | undefined {
  try {
    return readFileSync("/proc/1/comm", "utf8").trim();
  } catch {
    return undefined;
  }
}
