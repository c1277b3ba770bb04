import { Client } from "./client.js";
import { toRequest } from "./request.js";

/**
 * Sends requests at a fixed rate, independent of the responses. Each request is due at a fixed time, and its latency counts from
 * that time: waiting for a connection, or for this process, is included, and a stall affects all requests that were due during it
 * (no coordinated omission). They are due in batches, one every two milliseconds, since timers are not more precise.
 */
export function pace({ port, target, connections, perSecond, seconds }) {
  const bunchMs = 2;
  const bunch = Math.max(1, Math.round((perSecond * bunchMs) / 1_000));
  const total = Math.round((seconds * 1_000) / bunchMs) * bunch;
  const request = toRequest(target);
  const latencies = new Float64Array(total);
  const started = performance.now() + bunchMs;
  const dueAt = (index) => started + Math.floor(index / bunch) * bunchMs;
  const clients = [];
  const working = new Map();
  let begun = 0;
  let answered = 0;

  return new Promise((resolve, reject) => {
    const settle = (settled, value) => {
      clearInterval(timer);
      for (const client of clients) client.close();
      settled(value);
    };
    const idle = [];
    const go = () => {
      const now = performance.now();
      while (begun < total && dueAt(begun) <= now && idle.length > 0) {
        const client = idle.pop();
        working.set(client, begun++);
        client.send(request);
      }
    };
    const onAnswer = (client) => {
      const index = working.get(client);
      latencies[index] = performance.now() - dueAt(index);
      idle.push(client);
      if (++answered === total) return settle(resolve, percentiles(latencies));
      go();
    };
    const onFailure = (error) => settle(reject, error);
    for (let index = 0; index < connections; index++) clients.push(new Client(port, onAnswer, onFailure));
    idle.push(...clients);
    const timer = setInterval(go, 1);
  });
}

/** In milliseconds. */
function percentiles(latencies) {
  latencies.sort();
  const at = (share) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))];
  return { p50: at(0.5), p99: at(0.99), answers: latencies.length };
}
