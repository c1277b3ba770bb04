// The resource usage of a process that is not a Node process: CPU time in microseconds, current and peak memory (RSS) in bytes.
// Node processes report it themselves, see report-usage.js.

import { readdirSync, readFileSync } from "node:fs";

/** For a process with any number of threads, on Linux. */
export function usageOfProcess({ pid }) {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  const kilobytes = (name) => Number(new RegExp(`^${name}:\\s*(\\d+)`, "m").exec(status)?.[1] ?? 0) * 1_024;
  return { cpu: cpuOf(pid), rss: kilobytes("VmRSS"), peakRss: kilobytes("VmHWM") };
}

/** The scheduler's count in nanoseconds if the kernel has it, else in ticks of 10 ms. */
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
