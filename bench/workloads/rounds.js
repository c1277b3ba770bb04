import { checkAnswer } from "../contenders/check.js";
import { direct } from "../contenders/list.js";
import { startContender } from "../contenders/start.js";
import { median } from "../report/statistics.js";

/** The highest rate for latencies, at which the clients' own latency stays small. */
const paceLimit = 10_000;

/**
 * All contenders of a heat run at the same time and take turns; the order changes with the round. Each turn starts with a warm-up that does
 * not count: a process that has been idle costs up to twice as much at first. A contender that fails is removed, and its failure
 * is its result.
 */
export async function measureRounds(workload, contenders, { backends, load, warmUps, rounds, seconds, progress }) {
  const { name: task, ...options } = workload.task;
  const taking = workload.paced ? [...contenders, direct] : contenders;
  const runs = taking.map((contender) => ({ contender, cpu: [], rate: [], busy: [], p50: [], p99: [] }));
  const attempt = async (run, action) => {
    try {
      if (run.failed === undefined) await action(run);
    } catch (error) {
      run.failed = error.message;
    }
    progress();
  };
  try {
    for (const run of runs) await attempt(run, () => startRun(run, workload, backends));
    const attack = (port) => load[task]({ ...options, port, seconds });
    for (let round = 0; round < rounds; round++) {
      for (const run of turns(runs, round)) {
        await attempt(run, async () => {
          for (let warmUp = 0; warmUp < warmUps; warmUp++) await attack(run.running.port);
          const figures = await measure(run.running, attack);
          for (const [name, figure] of Object.entries(figures)) run[name].push(figure);
        });
      }
    }
    for (const run of runs) await attempt(run, async () => Object.assign(run, await memoryOf(run.running)));
    const perSecond = workload.paced ? await measureLatencies(workload, runs, { load, attempt }) : undefined;
    return { perSecond, contenders: Object.fromEntries(runs.map(toResult)) };
  } finally {
    await Promise.all(runs.map(({ running }) => running?.stop()));
  }
}

/** The number of steps for `progress`. */
export function stepsOfRounds(workload, count, rounds) {
  const taking = workload.paced ? count + 1 : count;
  return taking * (rounds + 2 + (workload.paced?.rounds ?? 0));
}

async function startRun(run, workload, backends) {
  run.running = await startContender(run.contender, backends.ports[workload.backends]);
  if (workload.task.name === "saturate") await checkAnswer(run.running.port, workload.task.target);
}

/** The proxy's CPU time per response, responses per second, and the proxy's share of its core. */
async function measure({ port, usage }, attack) {
  const before = await usage();
  const { answers, seconds } = await attack(port);
  const spent = (await usage()).cpu - before.cpu;
  return { cpu: spent / answers, rate: answers / seconds, busy: spent / (seconds * 1_000_000) };
}

async function memoryOf({ usage }) {
  const { rss, peakRss } = await usage();
  return { rss, peakRss };
}

/** At the same rate for all, half of what the slowest can do. */
async function measureLatencies(workload, runs, { load, attempt }) {
  const slowest = Math.min(...runs.filter(({ failed }) => failed === undefined).map(({ rate }) => median(rate)));
  const perSecond = Math.min(paceLimit, Math.max(500, Math.floor((slowest * 0.5) / 500) * 500));
  const { target, connections } = workload.task;
  for (let round = 0; round < workload.paced.rounds; round++) {
    for (const run of turns(runs, round)) {
      await attempt(run, async () => {
        const { port } = run.running;
        const { seconds } = workload.paced;
        const { p50, p99 } = await load.pace({ port, target, connections, perSecond, seconds });
        run.p50.push(p50);
        run.p99.push(p99);
      });
    }
  }
  return perSecond;
}

function turns(runs, round) {
  return runs.map((_, index) => runs[(index + round) % runs.length]);
}

function toResult({ contender, running: _, ...figures }) {
  return [contender.name, figures];
}
