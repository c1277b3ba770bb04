import { resolve } from "node:path";
import type { ConfigIssue } from "evenkeel";
import { limits } from "../defaults.ts";
import { type Environment, expandVariables } from "./expand-variables.ts";
import { isInlinePem, type PemKind, readPem } from "./pem.ts";

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
  /** The absolute paths of the certificate and key files that the document names, each once, whether they exist or not. */
  readonly files: readonly string[];
}

/** What is collected on the way through a document. */
interface Walk extends Surroundings {
  readonly issues: ConfigIssue[];
  readonly files: Set<string>;
}

/** Puts environment variables into the strings of a document, and the content of PEM files in place of their paths. */
export function fillIn(data: unknown, surroundings: Surroundings): FilledIn {
  const walk: Walk = { ...surroundings, issues: [], files: new Set() };
  return { data: fill(data, [], walk), issues: walk.issues, files: [...walk.files] };
}

function fill(value: unknown, path: Path, walk: Walk): unknown {
  const { issues } = walk;
  if (typeof value === "string") return fillString(value, path, walk);
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
    return value.map((item, index) => fill(item, [...path, index], walk));
  }
  const entries = Object.entries(value).map(([key, item]) => [key, fill(item, [...path, key], walk)]);
  return Object.fromEntries(entries);
}

function fillString(text: string, path: Path, { env, directory, issues, files }: Walk): string {
  const before = issues.length;
  const object = (message: string) => void issues.push({ path, message });
  const expanded = expandVariables(text, env, object);
  if (issues.length > before) return text;
  const kind = pemKindAt(path);
  if (kind === undefined) return expanded;
  if (!isInlinePem(expanded) && !expanded.includes("\0")) files.add(resolve(directory, expanded));
  // The files of `server.tls` are the command's to read, at its start and at each reload.
  return path[0] === "server" ? expanded : readPem(expanded, kind, directory, object);
}

/** What a string of a `tls` table stands for: the server's, a pool's, or that of all pools. */
function pemKindAt(path: Path): PemKind | undefined {
  const [table, key] = path.slice(-2);
  const owner = path.slice(0, -2);
  const ofAll = owner.length === 0 || (owner.length === 1 && (owner[0] === "defaults" || owner[0] === "server"));
  if (table !== "tls" || !(ofAll || (owner.length === 2 && owner[0] === "pools"))) return undefined;
  return key === "ca" || key === "cert" || key === "key" ? key : undefined;
}
