import { contenders } from "../contenders/list.js";
import { startContender } from "../contenders/start.js";
import { median, medianRatio } from "../report/statistics.js";

const task = { target: "/small", connections: 64 };
const warmSeconds = 2;
const rounds = 10;
const roundSeconds = 0.5;
/** Short enough that all allocations fit into the young generation below. */
const countSeconds = 0.1;
const youngMegabytes = 256;
const heapOptions = [
  `--min-semi-space-size=${youngMegabytes}`,
  `--max-semi-space-size=${youngMegabytes}`,
  ...["--import", new URL("report-heap.js", import.meta.url).href],
];

/** The core's CPU time per request relative to the bare relay, and its allocated bytes per request. */
export async function measureGuard(ports, load) {
  const [core, relay] = await Promise.all(
    ["core", "undici"].map((name) => {
      const contender = contenders.find((one) => one.name === name);
      return startContender(contender, ports, heapOptions);
    }),
  );
  const figures = { core: [], relay: [] };
  for (const { port } of [core, relay]) await load.drive({ ...task, port, seconds: warmSeconds });
  for (let round = 0; round < rounds; round++) {
    figures.core.push(await cpuPerAnswer(core, load));
    figures.relay.push(await cpuPerAnswer(relay, load));
  }
  const kilobytes = [];
  for (let round = 0; round < rounds; round++) kilobytes.push((await bytesPerAnswer(core, load)) / 1_000);
  await Promise.all([core.stop(), relay.stop()]);
  return { ratioToBareRelay: medianRatio(figures.core, figures.relay), kilobytesPerRequest: median(kilobytes) };
}

async function cpuPerAnswer({ port, usage }, load) {
  const before = await usage();
  const { answers } = await load.drive({ ...task, port, seconds: roundSeconds });
  return ((await usage()).cpu - before.cpu) / answers;
}

/** Without garbage collection, the heap grows by the allocated bytes. */
async function bytesPerAnswer({ port, heap }, load) {
  const before = await heap({ collect: true });
  const { answers } = await load.drive({ ...task, port, seconds: countSeconds });
  const after = await heap();
  if (after.collections > 0) throw new Error("garbage was collected meanwhile; countSeconds is too long here");
  return (after.heapUsed - before.heapUsed) / answers;
}
