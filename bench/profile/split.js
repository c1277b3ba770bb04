import { groupOf, groups } from "./groups.js";

const collector = "garbage collection";
const shared = "sockets and event loop, for either side";

/**
 * Sorts the self time of a V8 profile into the parts of the work, garbage collection, and time outside of all parts, in
 * microseconds. Only samples between two times count, in microseconds of the monotonic clock.
 */
export function split({ nodes, samples, timeDeltas, startTime }, from, until) {
  const parts = partsOf(nodes);
  const spent = Object.fromEntries([...groups, shared, collector].map((part) => [part, 0]));
  let time = startTime;
  for (const [index, id] of samples.entries()) {
    // A delta is the time before its sample, so each sample lasts until the next one.
    time += timeDeltas[index];
    const part = parts.get(id);
    if (time >= from && time < until && part !== undefined) {
      spent[part] = (spent[part] ?? 0) + (timeDeltas[index + 1] ?? 0);
    }
  }
  return spent;
}

/** By the id of a node; without one when the process was idle. */
function partsOf(nodes) {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parts = new Map();
  const visit = (node, inherited) => {
    const { functionName, url } = node.callFrame;
    const part = functionName === "(garbage collector)" ? collector : (groupOf({ url, functionName }) ?? inherited);
    if (functionName !== "(idle)") parts.set(node.id, part);
    for (const id of node.children ?? []) visit(byId.get(id), part);
  };
  visit(nodes[0], shared);
  return parts;
}
