/** Which rows of a long table are in view, by their fixed heights. */

import type { TableRow } from "../model/table-rows.ts";

export interface Heights {
  readonly pool: number;
  readonly upstream: number;
}

export interface RowWindow {
  readonly first: number;
  readonly end: number;
  /** The heights of the rows that are left out. */
  readonly before: number;
  readonly after: number;
}

/** Rows rendered above and below the view, so that scrolling shows no gaps. */
const overscan = 8;

/** The distance of each row from the top, and that of the end. */
export function offsetsOf(rows: readonly TableRow[], heights: Heights): Float64Array {
  const offsets = new Float64Array(rows.length + 1);
  rows.forEach((row, index) => {
    offsets[index + 1] = (offsets[index] ?? 0) + heights[row.kind];
  });
  return offsets;
}

export function windowOf(offsets: Float64Array, top: number, height: number): RowWindow {
  const count = offsets.length - 1;
  const first = Math.max(rowAt(offsets, top) - overscan, 0);
  const end = Math.min(rowAt(offsets, top + height) + 1 + overscan, count);
  return { first, end, before: offsets[first] ?? 0, after: (offsets[count] ?? 0) - (offsets[end] ?? 0) };
}

/** The last row that begins at or above a distance from the top. */
function rowAt(offsets: Float64Array, distance: number): number {
  let low = 0;
  let high = Math.max(offsets.length - 2, 0);
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((offsets[middle] ?? 0) <= distance) low = middle;
    else high = middle - 1;
  }
  return low;
}
