/** Enough for a thousand clients that connect at the same time. */
export const place = { port: 0, host: "127.0.0.1", backlog: 4_096 };

/** Resolves with the port. */
export function listen(server) {
  return new Promise((resolve) => {
    server.listen(place, () => resolve(server.address().port));
  });
}

/** Returns the items in rotation. */
export function byTurns(list) {
  let next = 0;
  return () => list[next++ % list.length];
}
