// Loaded before every proxy of Node's (`node --import`): tells its parent what the process has used, and ends it with
// its parent.

process.on("message", ({ usage, collect }) => {
  if (!usage) return;
  if (collect) globalThis.gc?.();
  const { user, system } = process.cpuUsage();
  // Linux counts the peak in kilobytes, as node has it; what has been freed since does not lower it.
  const peakRss = process.resourceUsage().maxRSS * 1_024;
  process.send({ cpu: user + system, rss: process.memoryUsage.rss(), peakRss });
});
process.on("disconnect", () => process.exit());
