import { toSafeText } from "../log/escape.ts";

export type Style = "plain" | "bold" | "dim" | "inverse" | "red" | "yellow" | "green" | "alert";

/** A part of a line in one style. */
export interface Span {
  readonly text: string;
  readonly style: Style;
}

export type StyledLine = readonly Span[];

export function span(text: string, style: Style = "plain"): Span {
  return { text: toSafeText(text), style };
}

/** Cuts a line to a width. The last character that stays is "…" then. */
export function cutLine(line: StyledLine, columns: number): StyledLine {
  const length = line.reduce((sum, { text }) => sum + text.length, 0);
  if (length <= columns) return line;
  const kept: Span[] = [];
  let left = columns;
  for (const { text, style } of line) {
    if (text.length < left) kept.push({ text, style });
    else {
      kept.push({ text: cutText(text, left, true), style });
      break;
    }
    left -= text.length;
  }
  return kept;
}

/** Cuts a text to a width. With `always`, "…" stands at its end also if the text just fits. */
export function cutText(text: string, columns: number, always = false): string {
  if (text.length <= columns && !always) return text;
  return columns <= 0 ? "" : `${text.slice(0, columns - 1)}…`;
}

/** Returns the text of a line for a terminal. */
export function toAnsi(line: StyledLine, color: boolean): string {
  return line.map(({ text, style }) => paint(text, style, color)).join("");
}

/** Without color, what needs attention is bold or inverse: NO_COLOR asks for no color, not for no emphasis. */
function paint(text: string, style: Style, color: boolean): string {
  const code = color ? colored[style] : monochrome[style];
  return code === "" || text === "" ? text : `\x1b[${code}m${text}\x1b[0m`;
}

const colored: Readonly<Record<Style, string>> = {
  plain: "",
  bold: "1",
  dim: "2",
  inverse: "7",
  red: "1;31",
  yellow: "33",
  green: "32",
  alert: "1;37;41",
};

const monochrome: Readonly<Record<Style, string>> = {
  ...colored,
  red: "1",
  yellow: "",
  green: "",
  alert: "1;7",
};
