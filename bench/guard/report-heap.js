// Loaded into a proxy beside report-usage.js: tells its parent how much of the heap is in use, and whether garbage has been
// collected since it was last asked.

import { PerformanceObserver } from "node:perf_hooks";

let collections = 0;
new PerformanceObserver((list) => {
  collections += list.getEntries().length;
}).observe({ entryTypes: ["gc"] });

process.on("message", ({ heap, collect }) => {
  if (!heap) return;
  if (collect) globalThis.gc();
  const { heapUsed } = process.memoryUsage();
  // The observer hears of a collection a little later.
  setTimeout(() => {
    process.send({ heapUsed, collections });
    collections = 0;
  }, 10);
});
