import { type SortKey, sortKeys } from "../overview/upstream-rows.ts";

/** What the user has chosen to see. */
export interface View {
  readonly sort: SortKey;
  /** The name of the only pool shown, or null for all. */
  readonly pool: string | null;
  /** The number of upstreams above the first one shown. */
  readonly offset: number;
}

/** What a key depends on, besides the view. */
export interface Extent {
  readonly pools: readonly string[];
  /** The number of upstreams in the view, and how many fit on the screen. */
  readonly upstreams: number;
  readonly page: number;
}

/** Splits the input of a terminal in raw mode into keys: characters and escape sequences. */
export function splitKeys(input: string): string[] {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one
  return input.match(/\x1b(?:\[[0-9;]*[A-Za-z~]|O[A-Z])|[^]/g) ?? [];
}

/** Returns the view after a key, or "quit". An unknown key changes nothing. */
export function applyKey(view: View, key: string, { pools, upstreams, page }: Extent): View | "quit" {
  const scrollTo = (offset: number): View => ({
    ...view,
    offset: Math.max(0, Math.min(offset, Math.max(0, upstreams - page))),
  });
  switch (key) {
    case "q":
    case "Q":
    case "\x03": // Ctrl-C
    case "\x04": // Ctrl-D
      return "quit";
    case "s":
      return { ...view, sort: next(sortKeys, view.sort, 1), offset: 0 };
    case "S":
      return { ...view, sort: next(sortKeys, view.sort, -1), offset: 0 };
    case "p":
      return { ...view, pool: next([null, ...pools], view.pool, 1), offset: 0 };
    case "P":
      return { ...view, pool: next([null, ...pools], view.pool, -1), offset: 0 };
    case "k":
    case "\x1b[A":
    case "\x1bOA":
      return scrollTo(view.offset - 1);
    case "j":
    case "\x1b[B":
    case "\x1bOB":
      return scrollTo(view.offset + 1);
    case "\x1b[5~": // Page Up
      return scrollTo(view.offset - page);
    case " ":
    case "\x1b[6~": // Page Down
      return scrollTo(view.offset + page);
    case "g":
    case "\x1b[H": // Home
      return scrollTo(0);
    case "G":
    case "\x1b[F": // End
      return scrollTo(upstreams);
    default:
      return view;
  }
}

/** Returns the value `step` after another one, from the last on to the first. One that is gone counts as the first. */
function next<T>(values: readonly T[], current: T, step: 1 | -1): T {
  const index = Math.max(0, values.indexOf(current));
  return values[(index + step + values.length) % values.length] as T;
}
