import { formatReason, type Trouble, toCells, type UpstreamRow, upstreamColumns } from "../overview/upstream-rows.ts";
import { cutText, type Style, type StyledLine, span } from "./styled-line.ts";

/** Where each column stands. Only columns that fit are in the table. */
interface Column {
  readonly index: number;
  readonly width: number;
}

/** The least widths, so that columns do not move whenever a number grows by a digit. */
const leastWidths = [12, 9, 7, 6, 7, 7, 7, 9, 6];
const alignedLeft = new Set([0, 1, 2]);
const nameColumn = 0;
const statusColumn = 1;
/** Columns that are left out in a narrow terminal, the least important first: weight and p50 before reasons are cut. */
const beforeReasons = [8, 5];
const afterReasons = [7, 2, 6, 4, 3];
const gap = 2;
/** The share of the terminal's width that names may take. */
const nameShare = 0.4;
const leastReason = 12;
const usualReason = 32;

/** The width that names may have at the most. */
export function nameWidth(columns: number): number {
  return Math.max(leastWidths[nameColumn] ?? 0, Math.floor(columns * nameShare));
}

/** Returns a table of upstreams that fits in a terminal, with a header: `first` is the index of the first row shown. */
export function drawUpstreams(
  rows: readonly UpstreamRow[],
  shown: { readonly first: number; readonly count: number },
  columns: number,
  now: number,
): StyledLine[] {
  const cells = rows.map((row) => toCells(row, now));
  const longestReason = rows.reduce((width, row) => Math.max(width, formatReason(row).length), 0);
  const layout = chooseColumns(cells, columns, Math.min(longestReason, usualReason));
  const used = layout.reduce((sum, { width }) => sum + width + gap, 0);
  const reasonWidth = columns - used >= leastReason ? columns - used : 0;
  const header = layout.map((column) => align(upstreamColumns[column.index] ?? "", column)).join(" ".repeat(gap));
  const title = reasonWidth > 0 ? `${header}  REASON` : header;
  const body = rows.slice(shown.first, shown.first + shown.count).map((row, index) => {
    const texts = cells[shown.first + index] ?? [];
    const line = layout.flatMap((column, place) => [
      span(place === 0 ? "" : " ".repeat(gap)),
      span(align(texts[column.index] ?? "", column), column.index === statusColumn ? styles[row.trouble] : "plain"),
    ]);
    const reason = reasonWidth > 0 ? cutText(formatReason(row), reasonWidth) : "";
    return [...line, ...(reason === "" ? [] : [span(`${" ".repeat(gap)}${reason}`)])];
  });
  return [[span(Number.isFinite(columns) ? title.padEnd(columns) : title, "inverse")], ...body];
}

const styles: Readonly<Record<Trouble, Style>> = { down: "red", impaired: "yellow", none: "green" };

function chooseColumns(cells: readonly (readonly string[])[], columns: number, reason: number): Column[] {
  let layout = upstreamColumns.map((title, index) => {
    const longest = cells.reduce((width, row) => Math.max(width, row[index]?.length ?? 0), title.length);
    const width = Math.max(longest, leastWidths[index] ?? 0);
    const most = index === nameColumn ? nameWidth(columns) : width;
    return { index, width: Math.min(width, most) };
  });
  const width = () => layout.reduce((sum, column) => sum + column.width + gap, -gap);
  const leaveOut = (indexes: readonly number[], most: number) => {
    for (const index of indexes) if (width() > most) layout = layout.filter((column) => column.index !== index);
  };
  leaveOut(beforeReasons, reason === 0 ? columns : columns - gap - reason);
  leaveOut(afterReasons, columns);
  return layout;
}

function align(text: string, { index, width }: Column): string {
  const cut = cutText(text, width);
  return alignedLeft.has(index) ? cut.padEnd(width) : cut.padStart(width);
}
