/** The fields of each action, the effect of what they hold, and the request that carries it out. */

import type { PoolOverview, UpstreamOverview } from "@evenkeel/admin";
import { request, upstreamPath, upstreamsPath } from "../data/api.ts";
import {
  type ActionName,
  type Effect,
  effectOfAdding,
  effectOfEnabling,
  effectOfTakingOut,
  effectOfWeight,
} from "../model/effects.ts";
import { html, type VNode } from "../vendor/preact.js";

export interface ActionValues {
  readonly weight: string;
  readonly url: string;
  readonly id: string;
  readonly backup: boolean;
  /** After this time tunnels of a drained or disabled upstream are closed. Empty: they stay open. */
  readonly timeout: string;
}

export const headings: Readonly<Record<ActionName, string>> = {
  weight: "Set the weight of",
  drain: "Drain",
  disable: "Disable",
  enable: "Enable",
  remove: "Remove",
  add: "Add an upstream to",
};

/** On the button that carries it out. */
export const verbs: Readonly<Record<ActionName, string>> = { ...headings, weight: "Set weight", add: "Add" };

export function firstValues(upstream: UpstreamOverview | undefined): ActionValues {
  return { weight: String(upstream?.weight ?? 1), url: "http://", id: "", backup: false, timeout: "" };
}

export function actionForm(
  action: ActionName,
  pool: PoolOverview,
  upstream: UpstreamOverview | undefined,
  values: ActionValues,
  set: SetValues,
): { readonly effect: Effect; readonly fields: VNode | null } {
  const weight = Math.max(Number(values.weight) || 0, 0);
  if (action === "add" || upstream === undefined) {
    return { effect: effectOfAdding(pool, weight, values.backup), fields: addFields(values, set) };
  }
  if (action === "weight") {
    return { effect: effectOfWeight(pool, upstream, weight), fields: weightField(values, set, true) };
  }
  if (action === "enable") return { effect: effectOfEnabling(pool, upstream), fields: null };
  const hasTimeout = action !== "remove" && upstream.tunnels > 0;
  return { effect: effectOfTakingOut(pool, upstream, action), fields: hasTimeout ? timeoutField(values, set) : null };
}

export async function runAction(
  action: ActionName,
  pool: string,
  upstream: string | undefined,
  values: ActionValues,
): Promise<void> {
  if (action === "add" || upstream === undefined) return addUpstream(pool, values);
  const path = upstreamPath(pool, upstream);
  if (action === "remove") return request("DELETE", path);
  if (action === "weight") return request("PATCH", path, { weight: Number(values.weight) });
  const states = { drain: "draining", disable: "disabled", enable: "active" } as const;
  const timeout = values.timeout.trim();
  return request("PATCH", path, { state: states[action], ...(timeout !== "" && { timeout }) });
}

function addUpstream(pool: string, { url, id, weight, backup }: ActionValues): Promise<void> {
  const name = id.trim();
  const options = { url: url.trim(), weight: Number(weight), backup, ...(name !== "" && { id: name }) };
  return request("POST", upstreamsPath(pool), options);
}

type SetValues = (values: ActionValues) => void;

function addFields(values: ActionValues, set: SetValues): VNode {
  return html`
    ${textField("URL", values.url, (url) => set({ ...values, url }), { type: "url", required: true, autofocus: true })}
    ${textField("Id", values.id, (id) => set({ ...values, id }), { placeholder: "made of the URL" })}
    ${weightField(values, set, false)}
    <label class="check"><input type="checkbox" checked=${values.backup} onChange=${() => set({ ...values, backup: !values.backup })} />
      Backup: gets requests only while no other upstream is available</label>`;
}

function weightField(values: ActionValues, set: SetValues, autofocus: boolean): VNode {
  const attributes = { type: "number", min: "0", max: "256", step: "1", required: true, autofocus };
  return textField("Weight", values.weight, (weight) => set({ ...values, weight }), attributes);
}

function timeoutField(values: ActionValues, set: SetValues): VNode {
  const attributes = { placeholder: "such as 5m; empty: they stay open" };
  return textField("Close tunnels after", values.timeout, (timeout) => set({ ...values, timeout }), attributes);
}

function textField(label: string, value: string, onText: (text: string) => void, attributes: object): VNode {
  const onInput = (event: InputEvent) => onText((event.currentTarget as HTMLInputElement).value);
  return html`<label class="field"><span>${label}</span>
    <input autocomplete="off" spellcheck=${false} ...${attributes} value=${value} onInput=${onInput} /></label>`;
}
