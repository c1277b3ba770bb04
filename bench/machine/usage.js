// What a process that is not of Node's has used so far: CPU time in microseconds, memory (RSS) in bytes now and at its
// highest. Those of Node tell it themselves, see report-usage.js.

import { readdirSync, readFileSync } from "node:fs";

/** Of a process of one thread or many, on Linux. */
export function usageOfProcess({ pid }) {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  const kilobytes = (name) => Number(new RegExp(`^${name}:\\s*(\\d+)`, "m").exec(status)?.[1] ?? 0) * 1_024;
  return { cpu: cpuOf(pid), rss: kilobytes("VmRSS"), peakRss: kilobytes("VmHWM") };
}

/** By the scheduler's own count, in nanoseconds, where the kernel keeps it; in ticks of 10 ms otherwise. */
function cpuOf(pid) {
  try {
    const threads = readdirSync(`/proc/${pid}/task`);
    const spent = threads.map((thread) => readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "latin1"));
    return spent.reduce((sum, line) => sum + Number(line.split(" ")[0]), 0) / 1_000;
  } catch {
    const fields = readFileSync(`/proc/${pid}/stat`, "latin1")
      .replace(/^.*\) /s, "")
      .split(" ");
    return (Number(fields[11]) + Number(fields[12])) * 10_000;
  }
}
