import type { ProxySnapshot } from "evenkeel";

/** Describes all requests so far and the upstreams in trouble, as in `120 requests, 3 failed, 9 retried; in trouble: web/web-3`. */
export function describeDemo({ requests, pools }: ProxySnapshot): string {
  const total = sum(requests.map(({ count }) => count));
  const failed = sum(requests.map(({ code, count }) => (code >= 500 ? count : 0)));
  const retried = sum(pools.flatMap(({ retries }) => Object.values(retries)));
  const troubled = pools.flatMap(({ name, upstreams }) =>
    upstreams.filter(({ available }) => !available).map(({ id }) => `${name}/${id}`),
  );
  return `${total} requests, ${failed} failed, ${retried} retried; ${
    troubled.length === 0 ? "all upstreams available" : `in trouble: ${troubled.join(", ")}`
  }`;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
