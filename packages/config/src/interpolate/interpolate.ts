import { resolve } from "node:path";
import type { ConfigIssue } from "evenkeel";
import { limits } from "../defaults.ts";
import { type Environment, expandVariables } from "./expand-variables.ts";
import { isInlinePem, type PemKind, readPem } from "./pem.ts";

export interface InterpolationContext {
  readonly env: Environment;
  /** What relative paths are relative to. */
  readonly directory: string;
}

type Path = readonly (string | number)[];

/** A document with its variables and PEM files filled in, and the mistakes that were found. */
export interface Interpolated {
  /** A plain copy. A value with a mistake is the one in the file. */
  readonly data: unknown;
  readonly issues: readonly ConfigIssue[];
  /** The absolute paths of the certificate and key files that the document names, each once, even if a file is missing. */
  readonly files: readonly string[];
}

/** The results that a walk through a document collects. */
interface Walk extends InterpolationContext {
  readonly issues: ConfigIssue[];
  readonly files: Set<string>;
}

/** Expands environment variables in the strings of a document, and replaces the paths of PEM files by their content. */
export function interpolate(data: unknown, surroundings: InterpolationContext): Interpolated {
  const walk: Walk = { ...surroundings, issues: [], files: new Set() };
  return { data: interpolateValue(data, [], walk), issues: walk.issues, files: [...walk.files] };
}

function interpolateValue(value: unknown, path: Path, walk: Walk): unknown {
  const { issues } = walk;
  if (typeof value === "string") return interpolateString(value, path, walk);
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
    return value.map((item, index) => interpolateValue(item, [...path, index], walk));
  }
  const entries = Object.entries(value).map(([key, item]) => [key, interpolateValue(item, [...path, key], walk)]);
  return Object.fromEntries(entries);
}

function interpolateString(text: string, path: Path, { env, directory, issues, files }: Walk): string {
  const before = issues.length;
  const report = (message: string) => void issues.push({ path, message });
  const expanded = expandVariables(text, env, report);
  if (issues.length > before) return text;
  const kind = pemKindAt(path);
  if (kind === undefined) return expanded;
  if (!isInlinePem(expanded) && !expanded.includes("\0")) files.add(resolve(directory, expanded));
  // The command reads the files of `server.tls` itself, at its start and at each reload.
  return path[0] === "server" ? expanded : readPem(expanded, kind, directory, report);
}

/** Returns which PEM a string stands for, in the `tls` table of the server or below it, of a pool or of all pools. */
function pemKindAt(path: Path): PemKind | undefined {
  const isCertificate = path.length === 5 && path.slice(0, 3).join(".") === "server.tls.certificates";
  const [table, key] = isCertificate ? ["tls", path[4]] : path.slice(-2);
  const owner = path.slice(0, -2);
  const isShared = owner.length === 0 || (owner.length === 1 && (owner[0] === "defaults" || owner[0] === "server"));
  if (table !== "tls" || !(isCertificate || isShared || (owner.length === 2 && owner[0] === "pools"))) return undefined;
  return key === "ca" || key === "cert" || key === "key" ? key : undefined;
}
