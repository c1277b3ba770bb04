import type { ConfigIssue } from "evenkeel";
import { limits } from "./defaults.ts";
import { type Environment, expandVariables } from "./environment.ts";
import { type PemKind, readPem } from "./pem.ts";

export interface Surroundings {
  readonly env: Environment;
  /** What relative paths are relative to. */
  readonly directory: string;
}

type Path = readonly (string | number)[];

/** What a file says with its surroundings put in, and the mistakes made on the way. */
export interface FilledIn {
  /** A plain copy. Where there was a mistake it is as the file has it. */
  readonly data: unknown;
  readonly issues: readonly ConfigIssue[];
}

/** Puts environment variables into the strings of a document, and the content of PEM files in place of their paths. */
export function fillIn(data: unknown, surroundings: Surroundings): FilledIn {
  const issues: ConfigIssue[] = [];
  return { data: fill(data, [], surroundings, issues), issues };
}

function fill(value: unknown, path: Path, surroundings: Surroundings, issues: ConfigIssue[]): unknown {
  if (typeof value === "string") return fillString(value, path, surroundings, issues);
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Date) {
    issues.push({ path, message: "no key takes a date or a time; put it in quotes to make it a string" });
    return undefined;
  }
  if (path.length >= limits.depth) {
    issues.push({ path, message: `nested deeper than ${limits.depth} levels` });
    return undefined;
  }
  if (Array.isArray(value)) {
    return value.map((item, index) => fill(item, [...path, index], surroundings, issues));
  }
  const entries = Object.entries(value).map(([key, item]) => [key, fill(item, [...path, key], surroundings, issues)]);
  return Object.fromEntries(entries);
}

function fillString(text: string, path: Path, { env, directory }: Surroundings, issues: ConfigIssue[]): string {
  const before = issues.length;
  const object = (message: string) => void issues.push({ path, message });
  const expanded = expandVariables(text, env, object);
  if (issues.length > before) return text;
  const kind = pemKindAt(path);
  return kind === undefined ? expanded : readPem(expanded, kind, directory, object);
}

/** The files of `tls` tables of pools are read here; those of `server.tls` are for the command, which reads them anew. */
function pemKindAt(path: Path): PemKind | undefined {
  const [table, key] = path.slice(-2);
  const owner = path.slice(0, -2);
  const ofPool = owner.length === 0 || (owner.length === 1 && owner[0] === "defaults");
  if (table !== "tls" || !(ofPool || (owner.length === 2 && owner[0] === "pools"))) return undefined;
  return key === "ca" || key === "cert" || key === "key" ? key : undefined;
}
