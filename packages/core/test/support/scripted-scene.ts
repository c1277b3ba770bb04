/** Scenes of the table of failures in memory, on virtual time. failure-scene.ts has those over sockets. */

import type { PoolSettings, ProxyOptions, SharedOptions } from "../../src/config/options.ts";
import type { Hooks } from "../../src/forward/hooks.ts";
import { settle } from "../../src/runtime/virtual-clock.ts";
import { fieldsOf } from "../contract/client-exchange-harness.ts";
import { type ForwardLab, type LabRequest, startLab } from "./forward-lab.ts";
import { type SceneResult, sceneResult } from "./scene-result.ts";
import type { ScriptedClient } from "./scripted-client.ts";
import type { ScriptedUpstream } from "./scripted-upstream.ts";

/** One request through the proxy, and everything that may go wrong with it. */
export interface Scene {
  /** They are called `a`, `b` and so on, and are tried in this order. */
  readonly upstreams: readonly ScriptedUpstream[];
  /** Default: a GET. */
  readonly request?: LabRequest;
  /** For the one pool and the whole proxy. */
  readonly settings?: PoolSettings & SharedOptions;
  /** In place of all that. */
  readonly options?: ProxyOptions;
  readonly hooks?: Hooks;
  /** Runs when the request has reached an upstream, waits or has its response. */
  readonly meanwhile?: (stage: { readonly client: ScriptedClient; readonly lab: ForwardLab }) => void | Promise<void>;
}

export const post = { method: "POST", body: "once" } as const;

const ids = "abcdefgh";
/** Longer than every pause before the retries of one request. */
const patienceMs = 10_000;

/** Plays a scene to its end. */
export async function play(scene: Scene): Promise<SceneResult> {
  const lab = startScene(scene);
  const client = lab.begin("/", scene.request);
  await settle();
  await scene.meanwhile?.({ client, lab });
  return observe(lab, client);
}

/** A proxy that tries its upstreams in order, with the shortest pauses before retries that there are. */
export function startScene({
  upstreams,
  settings = {},
  options,
  hooks,
}: Omit<Scene, "request" | "meanwhile">): ForwardLab {
  const members = upstreams.map(({ url }, index) => ({ id: ids[index] as string, url }));
  const proxyOptions = options ?? { balance: "round-robin", upstreams: members, ...settings };
  const lab = startLab(proxyOptions, { random: () => 0, ...hooks });
  lab.on("exception", () => {});
  return lab;
}

/** Waits for the end of a client's only request, and gathers what is known of it. */
export async function observe(lab: ForwardLab, client: ScriptedClient): Promise<SceneResult> {
  await lab.clock.advanceAsync(patienceMs);
  const { status, complete, headers, closed } = client.received;
  const field = (name: string) => fieldsOf(headers, name)[0] ?? "";
  return sceneResult({ status, complete, field, connection: closed ? "closed" : "kept" }, lab.requests, lab.snapshot());
}
