import { OptionsError } from "./issues.ts";

const durationUnits: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const sizeUnits: Readonly<Record<string, number>> = { b: 1, kb: 1_024, mb: 1_048_576, gb: 1_073_741_824 };

/** Parses a duration such as "250ms", "5s", "1.5m" or "2h" into milliseconds. Returns undefined if it is malformed. */
export function parseDuration(text: string): number | undefined {
  return parseWithUnit(text, durationUnits);
}

/** Parses a duration into seconds, to the microsecond. Returns undefined if it is malformed. */
export function parseSeconds(text: string): number | undefined {
  const ms = parseExactly(text, durationUnits);
  return ms === undefined ? undefined : Math.round(ms * 1_000) / 1e6;
}

/** The error of a malformed duration in an option of a call. */
export function durationError(text: string, option: string): OptionsError {
  const message = `expected a duration such as "30s", found ${JSON.stringify(text)}`;
  return new OptionsError([{ path: [option], message }]);
}

/** Parses a size such as "512b", "64kb", "10mb" or "1gb" into bytes. Returns undefined if it is malformed. */
export function parseSize(text: string): number | undefined {
  return parseWithUnit(text.toLowerCase(), sizeUnits);
}

function parseWithUnit(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const value = parseExactly(text, units);
  return value === undefined ? undefined : Math.round(value);
}

function parseExactly(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const match = /^(\d{1,12}(?:\.\d{1,3})?)([a-z]{1,2})$/.exec(text);
  const factor = units[match?.[2] ?? ""];
  return match === null || factor === undefined ? undefined : Number(match[1]) * factor;
}
