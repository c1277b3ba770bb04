import { checkAnswer } from "../contenders/check.js";
import { startContender } from "../contenders/start.js";

const settleMs = 500;
const warmConnectionsHeld = 20;
const warmConnections = 16;
const firstRestMs = 1_000;

/** The memory of one idle tunnel. */
export function measureTunnels(workload, contenders, surroundings) {
  return measureHeld("hold", workload, contenders, surroundings);
}

/** The memory of one idle kept-alive connection. */
export function measureIdle(workload, contenders, surroundings) {
  return measureHeld("holdIdle", workload, contenders, surroundings);
}

/** A new process for each contender, with garbage collection before each measurement. */
function measureHeld(task, { count }, contenders, surroundings) {
  return forEach(contenders, surroundings, async ({ port, usage }, { load }) => {
    await load[task]({ port, count: warmConnectionsHeld });
    await load.release();
    await settle();
    const before = await usage({ collect: true });
    await load[task]({ port, count });
    await settle();
    const after = await usage({ collect: true });
    await load.release();
    return { perConnection: (after.rss - before.rss) / count };
  });
}

/** The memory during a large response to a slow reader: a new process for each contender. */
export function measureSlowReader({ bytes }, contenders, surroundings) {
  return forEach(contenders, surroundings, async ({ port, usage }, { load }) => {
    // A process that has just started grows with its first requests.
    await checkAnswer(port, "/small");
    await load.saturate({ port, target: "/small", connections: warmConnections, seconds: 1 });
    const before = await usage();
    const read = await load.readSlowly({ port, bytes, firstRestMs });
    const { peakRss } = await usage();
    // The peak since the start of the process may be from before this workload.
    return { extra: Math.max(0, peakRss - before.rss), bytes: read.bytes };
  });
}

async function forEach(contenders, surroundings, measure) {
  const results = {};
  for (const contender of contenders) {
    results[contender.name] = await measureOne(contender, surroundings, measure);
    surroundings.progress();
  }
  return { contenders: results };
}

async function measureOne(contender, surroundings, measure) {
  let running;
  try {
    running = await startContender(contender, surroundings.backends.ports.app);
    return await measure(running, surroundings);
  } catch (error) {
    await surroundings.load.release();
    return { failed: error.message };
  } finally {
    await running?.stop();
  }
}

function settle() {
  return new Promise((resolve) => setTimeout(resolve, settleMs));
}
