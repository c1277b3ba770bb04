/** Keys of the whole page. */

import { useEffect } from "../vendor/preact.js";
import { readSelection, select } from "./selection.ts";

/** `/` goes to the filter. Escape leaves the filter, or closes the detail and returns to its row. */
export function useShortcuts(): void {
  useEffect(() => {
    addEventListener("keydown", onKeyDown);
    return () => removeEventListener("keydown", onKeyDown);
  }, []);
}

function onKeyDown(event: KeyboardEvent): void {
  const { target, key } = event;
  const isTyping = target instanceof HTMLElement && target.matches("input, select, textarea");
  const isInLayer = target instanceof HTMLElement && target.closest("dialog, [popover]") !== null;
  if (event.ctrlKey || event.metaKey || event.altKey || isInLayer || event.defaultPrevented) return;
  const filter = document.getElementById("filter");
  if (key === "/" && !isTyping && filter instanceof HTMLInputElement) {
    event.preventDefault();
    filter.focus();
    filter.select();
  }
  if (key !== "Escape") return;
  if (target === filter && filter instanceof HTMLInputElement) filter.blur();
  else if (readSelection() !== undefined) closeDetail();
}

function closeDetail(): void {
  const row = document.querySelector<HTMLElement>('tr[aria-current="true"] .row-link');
  select(undefined);
  row?.focus();
}
