// Loaded before every Node proxy (`node --import`): reports the resource usage of the process to its parent, and ends the process
// with its parent.

process.on("message", ({ usage, collect }) => {
  if (!usage) return;
  if (collect) globalThis.gc?.();
  const { user, system } = process.cpuUsage();
  // The peak, in kilobytes. Freed memory does not lower it.
  const peakRss = process.resourceUsage().maxRSS * 1_024;
  process.send({ cpu: user + system, rss: process.memoryUsage.rss(), peakRss });
});
process.on("disconnect", () => process.exit());
