/** The menu of actions on one upstream. The browser closes a popover by Escape and by clicks elsewhere. */

import type { PoolOverview, UpstreamOverview } from "@evenkeel/admin";
import type { ActionName } from "../model/effects.ts";
import { html, useLayoutEffect, useRef, type VNode } from "../vendor/preact.js";

export interface MenuRequest {
  readonly anchor: HTMLElement;
  readonly pool: PoolOverview;
  readonly upstream: UpstreamOverview;
}

type UpstreamAction = Exclude<ActionName, "add">;

interface Props extends MenuRequest {
  readonly onChoose: (action: UpstreamAction) => void;
  readonly onClose: () => void;
}

const labels: Readonly<Record<UpstreamAction, string>> = {
  weight: "Set weight…",
  drain: "Drain…",
  disable: "Disable…",
  enable: "Enable…",
  remove: "Remove…",
};

/** The actions that change something, in the order of the menu. */
export function actionsFor({ state }: UpstreamOverview): readonly UpstreamAction[] {
  if (state === "active") return ["weight", "drain", "disable", "remove"];
  return state === "draining" ? ["enable", "disable", "weight", "remove"] : ["enable", "drain", "weight", "remove"];
}

export function actionLabel(action: UpstreamAction): string {
  return labels[action];
}

export function ActionMenu({ anchor, pool, upstream, onChoose, onClose }: Props): VNode {
  const menu = useRef<HTMLDivElement>(null);

  useLayoutEffect(() => {
    const element = menu.current;
    if (element === null) return;
    element.showPopover();
    place(element, anchor);
    element.querySelector("button")?.focus();
  }, [anchor]);

  // `toggle` comes a task later: by then the menu may have been opened again.
  const onBeforeToggle = (event: ToggleEvent) => {
    if (event.newState !== "closed") return;
    const { activeElement } = document;
    if (activeElement === document.body || menu.current?.contains(activeElement)) anchor.focus();
    onClose();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Tab") menu.current?.hidePopover();
    const items = [...(menu.current?.querySelectorAll("button") ?? [])];
    const index = items.indexOf(document.activeElement as HTMLButtonElement);
    const steps: Readonly<Record<string, number>> = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: -1 };
    const target = steps[event.key];
    if (target === undefined) return;
    event.preventDefault();
    items.at(target % items.length)?.focus();
  };

  return html`<div class="menu" popover="auto" role="menu" aria-label=${`Actions for ${pool.name}/${upstream.id}`} ref=${menu}
      onBeforeToggle=${onBeforeToggle} onKeyDown=${onKeyDown}>
    ${actionsFor(upstream).map(
      (action) =>
        html`<button role="menuitem" class=${action === "remove" ? "tone-bad" : ""} onClick=${() => onChoose(action)}>${labels[action]}</button>`,
    )}
  </div>`;
}

/** Below the anchor and aligned with its right edge; above it where there is no room below. */
function place(element: HTMLElement, anchor: HTMLElement): void {
  const box = anchor.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = element;
  const isBelow = box.bottom + height + 8 < innerHeight;
  element.style.left = `${Math.max(box.right - width, 8)}px`;
  element.style.top = `${isBelow ? box.bottom + 4 : Math.max(box.top - height - 4, 8)}px`;
}
