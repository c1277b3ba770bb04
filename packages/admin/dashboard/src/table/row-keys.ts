/** Arrow keys in the table: one row is in the tab order, and the keys move it. */

import type { TableRow } from "../model/table-rows.ts";
import { useLayoutEffect, useRef, useState } from "../vendor/preact.js";
import type { RowWindow } from "./visible-rows.ts";

interface RowKeys {
  /** The index of the row whose link is in the tab order. */
  readonly active: number;
  readonly onKeyDown: (event: KeyboardEvent) => void;
}

interface Reference<Value> {
  readonly current: Value | null;
}

const steps: Readonly<Record<string, number>> = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 };

export function useRowKeys(
  rows: readonly TableRow[],
  offsets: Float64Array,
  scroller: Reference<HTMLElement>,
  shown: RowWindow,
): RowKeys {
  const [chosen, setActive] = useState(0);
  const pending = useRef<number | undefined>(undefined);
  const active = Math.min(Math.max(chosen, shown.first), Math.max(shown.end - 1, 0));

  useLayoutEffect(() => {
    const index = pending.current;
    if (index === undefined) return;
    const link = linkOf(scroller.current, index);
    if (link === undefined) return;
    pending.current = undefined;
    link.focus();
  });

  const onKeyDown = (event: KeyboardEvent): void => {
    const focused = indexOf(event.target);
    if (focused === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    const last = rows.length - 1;
    const target = event.key === "Home" ? 0 : event.key === "End" ? last : focused + (steps[event.key] ?? Number.NaN);
    if (Number.isNaN(target)) return;
    event.preventDefault();
    const index = Math.min(Math.max(target, 0), last);
    pending.current = index;
    setActive(index);
    scrollTo(scroller.current, offsets[index] ?? 0);
  };
  return { active, onKeyDown };
}

/** Rows that do not exist yet are brought into view first. */
function scrollTo(element: HTMLElement | null, offset: number): void {
  if (element === null || element.scrollHeight <= element.clientHeight) return;
  const margin = 80;
  if (offset < element.scrollTop + margin) element.scrollTop = offset - margin;
  const bottom = element.scrollTop + element.clientHeight;
  if (offset > bottom - margin) element.scrollTop = offset - element.clientHeight + margin;
}

function linkOf(element: HTMLElement | null, index: number): HTMLElement | undefined {
  return element?.querySelector<HTMLElement>(`tr[data-index="${index}"] .row-link`) ?? undefined;
}

function indexOf(target: EventTarget | null): number | undefined {
  const row = target instanceof Element && target.closest<HTMLElement>("tr[data-index]");
  return row ? Number(row.dataset["index"]) : undefined;
}
