/** The confirmation of an action: what it will do, in numbers. The numbers follow the state while it is open. */

import type { PoolOverview, UpstreamOverview } from "@evenkeel/admin";
import type { ActionName } from "../model/effects.ts";
import { html, useLayoutEffect, useRef, useState, type VNode } from "../vendor/preact.js";
import { type ActionValues, actionForm, firstValues, headings, runAction, verbs } from "./action-forms.ts";

export interface ActionRequest {
  readonly action: ActionName;
  readonly pool: PoolOverview;
  /** Undefined for `add`. */
  readonly upstream: UpstreamOverview | undefined;
}

interface Props extends ActionRequest {
  /** `done` is true if the action has succeeded. */
  readonly onClose: (done: boolean) => void;
}

export function ActionDialog({ action, pool, upstream, onClose }: Props): VNode {
  const dialog = useRef<HTMLDialogElement>(null);
  const isDone = useRef(false);
  const [values, setValues] = useState<ActionValues>(() => firstValues(upstream));
  const [trouble, setTrouble] = useState("");
  const [isBusy, setBusy] = useState(false);
  const target = upstream === undefined ? pool.name : `${pool.name}/${upstream.id}`;
  const { effect, fields } = actionForm(action, pool, upstream, values, setValues);

  useLayoutEffect(() => dialog.current?.showModal(), []);

  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setTrouble("");
    try {
      await runAction(action, pool.name, upstream?.id, values);
      isDone.current = true;
      // Returns the focus to where it was, which the removal of an open dialog does not.
      dialog.current?.close();
    } catch (error) {
      setBusy(false);
      setTrouble(error instanceof Error ? error.message : "the action failed");
    }
  };

  const isDestructive = effect.isDangerous || action === "remove";
  return html`<dialog ref=${dialog} aria-labelledby="dialog-title" aria-describedby="dialog-effect" onClose=${() => onClose(isDone.current)}>
    <form onSubmit=${(event: SubmitEvent) => void submit(event)}>
      <h2 id="dialog-title">${headings[action]} <span class="mono">${target}</span></h2>
      ${fields}
      <div id="dialog-effect" class="effect ${effect.isDangerous ? "is-dangerous" : ""}" aria-live="polite">
        ${effect.sentences.map((sentence) => html`<p>${sentence}</p>`)}
      </div>
      ${trouble !== "" && html`<p class="tone-bad" role="alert">Nothing was changed: ${trouble}</p>`}
      <div class="dialog-actions">
        <button type="button" onClick=${() => dialog.current?.close()}>Cancel</button>
        <button class=${isDestructive ? "primary destructive" : "primary"} disabled=${isBusy}>${isBusy ? "Working" : verbs[action]}</button>
      </div>
    </form>
  </dialog>`;
}
