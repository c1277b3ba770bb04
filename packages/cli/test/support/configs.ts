/** Parts of configurations for tests. All listeners use ports that the system chooses. */

/** One pool with the given upstreams, the first named "a". */
export function poolOf(...urls: string[]): string {
  const upstreams = urls.map((url, index) => `{ id = "${"abcdef"[index]}", url = "${url}" }`);
  return `[pools.app]\nbalance = "round-robin"\nupstreams = [${upstreams.join(", ")}]\n`;
}

export const anyPort = '[server]\nlisten = "127.0.0.1:0"\n';

export const withAdmin = '[admin]\nlisten = "127.0.0.1:0"\n';

/** A URL at which nothing listens. */
export const nowhere = "http://127.0.0.1:1";
