// Loaded into a proxy together with report-usage.js: reports to its parent the used heap, and whether garbage was collected since
// the last report.

import { PerformanceObserver } from "node:perf_hooks";

let collections = 0;
new PerformanceObserver((list) => {
  collections += list.getEntries().length;
}).observe({ entryTypes: ["gc"] });

process.on("message", ({ heap, collect }) => {
  if (!heap) return;
  if (collect) globalThis.gc();
  const { heapUsed } = process.memoryUsage();
  // The observer is called a little after a collection.
  setTimeout(() => {
    process.send({ heapUsed, collections });
    collections = 0;
  }, 10);
});
