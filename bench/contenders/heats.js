// The groups in which contenders run at the same time. On a small machine a process costs more the more others share the caches
// with it, idle ones included: with four of them ratios repeat within a few percent.

/** At most four each. The first is the base of the ratios of its heat; pairs of targets are in one heat. */
const heats = [
  ["undici", "cli", "listen", "nginx"],
  ["undici", "core", "listen", "http-proxy-agent"],
  ["undici", "cli", "cli-log", "core-log"],
  ["undici", "express", "express-log", "hpm"],
  ["undici", "fastify", "fastify-log", "fastify-http-proxy"],
  ["undici", "http-proxy", "httpxy", "fast-proxy"],
  ["undici", "listen", "net-wire", "wire"],
  ["undici", "core", "nginx", "haproxy"],
  ["undici", "cli", "nginx", "nginx-unbuffered"],
  ["h2-wire", "cli-h2", "nginx-h2"],
];

/** The heats of the contenders that take part: one for up to four. Those in no heat of the list share heats of four. */
export function heatsOf(taking) {
  if (taking.length <= 4) return [taking];
  const left = new Set(taking);
  const groups = heats.flatMap((names) => {
    const group = names.flatMap((name) => taking.filter((one) => one.name === name));
    const news = group.filter((one) => left.has(one) && one.name !== names[0]);
    if (news.length === 0) return [];
    for (const one of group) left.delete(one);
    return [group];
  });
  return [...groups, ...inFours([...left])];
}

function inFours(taking) {
  const count = Math.ceil(taking.length / 4);
  return Array.from({ length: count }, (_, index) => taking.slice(index * 4, index * 4 + 4));
}
