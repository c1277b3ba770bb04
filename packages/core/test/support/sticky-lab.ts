import type { PoolOptions, StickyOptions } from "../../src/config/options.ts";
import { type ForwardLab, type LabOptions, type LabRequest, startLab } from "./forward-lab.ts";
import { type ScriptedUpstream, scriptedUpstream } from "./scripted-upstream.ts";

export const secret = "a secret for tests";

/** Longer than the pause before a retry. */
export const retryPauseMs = 1_000;

/** Upstreams a, b and c that respond with their names, behind a proxy that keeps its clients. */
export function trio(sticky: StickyOptions = {}, options: Partial<PoolOptions> = {}, surroundings: LabOptions = {}) {
  const servers: Record<string, ScriptedUpstream> = {};
  for (const name of ["a", "b", "c"]) servers[name] = scriptedUpstream(name);
  const upstreams = Object.entries(servers).map(([id, { url }]) => ({ id, url, maxInFlight: 2 }));
  const all = { upstreams, balance: "round-robin", trustedProxies: ["127.0.0.1"], ...options } as const;
  const lab = startLab({ ...all, sticky: { secret, ...sticky } }, surroundings);
  const { pool, requests, clock } = lab;
  return { lab, servers, upstreams, pool, requests, clock, ask: askerOf(lab) };
}

/** Sends requests as a browser does: the response, and the cookie to come back with. */
export function askerOf(lab: ForwardLab) {
  return async (cookie?: string, headers: Record<string, string> = {}, request: LabRequest = {}) => {
    const sent = { ...headers, ...(cookie !== undefined && { Cookie: cookie }) };
    const answer = await lab.fetch("/", { ...request, headers: sent });
    const setCookies = answer.headers["set-cookie"] ?? [];
    return { ...answer, setCookies, cookie: setCookies[0]?.split(";")[0] ?? "" };
  };
}

/** A client that is bound to the upstream of that name. */
export async function clientOf(name: string, ask: ReturnType<typeof askerOf>): Promise<string> {
  for (;;) {
    const { text, cookie } = await ask();
    if (text === name) return cookie;
  }
}
