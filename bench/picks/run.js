// Measures one pick of each policy on a real pool: `pnpm bench:picks`.
//
// Each value is the CPU time of one `balancer.pick()` in nanoseconds: the median over the rounds, and the minimum, which is the cost
// of the code when nothing else runs on the machine. Weights are unequal, latencies are known, and some requests are in flight.

import { Balancer, Pool } from "evenkeel";

const sizes = [10, 1_000];
const rounds = 25;
const roundMicros = 20_000;
const names = ["p2c", "round-robin", "least-requests", "random", "peak-ewma", "hash", "first"];
const own = {
  name: "your own",
  pick: ({ candidates, random }) => candidates[Math.floor(random() * candidates.length)],
};

const keys = Array.from({ length: 1_024 }, (_, index) => `203.0.113.${index}`);

function measure(policy, size) {
  const pool = poolOf(size);
  const balancer = new Balancer(pool, { policy });
  const costs = [];
  for (let round = 0; round < rounds; round++) costs.push(nanosecondsOfPick(balancer));
  costs.sort((one, other) => one - other);
  return { median: costs[rounds >> 1], least: costs[0] };
}

function poolOf(size) {
  const upstreams = Array.from({ length: size }, (_, index) => ({
    url: `http://10.0.${index >> 8}.${index & 255}:3000`,
    weight: 1 + (index % 7),
  }));
  const pool = new Pool("bench", { upstreams });
  for (const [index, upstream] of pool.upstreams.entries()) {
    for (let request = 0; request <= index % 3; request++) {
      const attempt = pool.begin(upstream);
      attempt.responded(10 + (index % 13), 200);
      if (request > 0) attempt.settle("success");
    }
  }
  return pool;
}

/** In CPU time, which excludes other work on the machine. */
function nanosecondsOfPick(balancer) {
  const before = process.cpuUsage();
  for (let picks = 0; ; picks += 64) {
    const { user, system } = process.cpuUsage(before);
    if (user + system >= roundMicros) return ((user + system) * 1_000) / picks;
    for (let pick = 0; pick < 64; pick++) balancer.pick({ key: keys[(picks + pick) & 1_023] });
  }
}

console.log(`node ${process.version}: nanoseconds for one pick, median and least of ${rounds} rounds\n`);
console.log(`${"policy".padEnd(16)}${sizes.map((size) => `${size} upstreams`.padStart(24)).join("")}`);
for (const policy of [...names, own]) {
  const cells = sizes.map((size) => {
    const { median, least } = measure(policy, size);
    return `${Math.round(median)} / ${Math.round(least)}`.padStart(24);
  });
  console.log((policy.name ?? policy).padEnd(16) + cells.join(""));
}
