// The workloads. `needs` lists the features that a contender must have; `logs` includes contenders with an access log; all rounds
// together take about ten minutes. `quick` has the changes for a quick run.

const mega = 1_000_000;

export const workloads = [
  {
    name: "small",
    title: "27-byte responses, 64 connections",
    way: "rounds",
    task: { name: "saturate", target: "/small", connections: 64 },
    backends: "web",
    rounds: 5,
    logs: true,
    paced: { rounds: 2, seconds: 1.5 },
    quick: { paced: { rounds: 1, seconds: 0.5 } },
  },
  {
    name: "1k",
    title: "1 KB responses, 64 connections",
    way: "rounds",
    task: { name: "saturate", target: "/1k", connections: 64 },
    backends: "web",
    rounds: 2,
  },
  {
    name: "100k",
    title: "100 KB responses, 64 connections",
    way: "rounds",
    task: { name: "saturate", target: "/100k", connections: 64 },
    backends: "web",
    rounds: 3,
    also: ["nginx-unbuffered"],
  },
  {
    name: "http2",
    title: "27-byte responses over HTTP/2, 4 connections of 32 streams",
    way: "rounds",
    task: { name: "saturateHttp2", target: "/small", connections: 4, streams: 32 },
    backends: "web",
    rounds: 5,
    protocol: "http2",
  },
  {
    name: "upload-10k",
    title: "10 KB uploads, 64 connections",
    way: "rounds",
    task: { name: "saturate", target: "/upload", uploadBytes: 10_000, connections: 64 },
    backends: "app",
    rounds: 2,
    needs: ["uploads"],
  },
  {
    name: "upload-1m",
    title: "1 MB uploads, 16 connections",
    way: "rounds",
    task: { name: "saturate", target: "/upload", uploadBytes: mega, connections: 16 },
    backends: "app",
    rounds: 2,
    needs: ["uploads"],
  },
  {
    name: "connections",
    title: "1 KB responses, 1,000 connections",
    way: "rounds",
    task: { name: "saturate", target: "/1k", connections: 1_000 },
    backends: "web",
    rounds: 2,
  },
  {
    name: "pool-50",
    title: "27-byte responses, 64 connections, a pool of 50 upstreams",
    way: "rounds",
    task: { name: "saturate", target: "/small", connections: 64 },
    backends: "many",
    rounds: 2,
  },
  {
    name: "echo",
    title: "WebSocket messages of 64 bytes and back, 64 tunnels",
    way: "rounds",
    task: { name: "echo", connections: 64 },
    backends: "app",
    rounds: 2,
    needs: ["tunnels"],
  },
  {
    name: "tunnels",
    title: "1,000 idle WebSocket tunnels",
    way: "tunnels",
    count: 1_000,
    quick: { title: "200 idle WebSocket tunnels", count: 200 },
    backends: "app",
    needs: ["tunnels"],
  },
  {
    name: "idle",
    title: "1,000 idle kept-alive connections",
    way: "idle",
    count: 1_000,
    quick: { title: "200 idle kept-alive connections", count: 200 },
    backends: "app",
  },
  {
    name: "slow-reader",
    title: "1 GB to a reader slower than its upstream",
    way: "slowReader",
    bytes: 1_000 * mega,
    quick: { title: "100 MB to a reader slower than its upstream", bytes: 100 * mega },
    backends: "app",
    also: ["nginx-unbuffered"],
  },
];

/** A quick run measures only these, and checks all. */
const quickNames = ["cli", "listen", "undici", "nginx"];

export function takesPart(workload, contender, quick) {
  const { logs = false, needs = [], also = [], protocol = "http1" } = workload;
  if (!contender.claims.includes(protocol)) return false;
  if (contender.name === "nginx-unbuffered" && !also.includes(contender.name)) return false;
  if (contender.log && !logs) return false;
  if (quick && !quickNames.includes(contender.name)) return false;
  return needs.every((claim) => contender.claims.includes(claim));
}
