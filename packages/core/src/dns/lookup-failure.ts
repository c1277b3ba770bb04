import { isOutOfDescriptors } from "./file-descriptors.ts";

/** Codes of node:dns -> terms of DNS. */
const reasons: Readonly<Record<string, string>> = {
  ENOTFOUND: "NXDOMAIN",
  ENODATA: "no records",
  ESERVFAIL: "SERVFAIL",
  EREFUSED: "REFUSED",
  EFORMERR: "FORMERR",
  ENOTIMP: "NOTIMP",
  EBADRESP: "a malformed answer",
  EBADNAME: "a malformed name",
  ETIMEOUT: "timeout",
  ECANCELLED: "timeout",
  ECONNREFUSED: "no DNS server answers",
  EAI_NODATA: "no records",
  EAI_NONAME: "NXDOMAIN",
  EAI_AGAIN: "no DNS server answers",
  EAI_FAIL: "SERVFAIL",
};

/**
 * Why a lookup failed: `empty` is NXDOMAIN or no records of the type, `timeout` no answer in time, `not-sent` no file descriptor
 * left for the query, `unusable` that all addresses are forbidden for DNS answers, `failed` anything else.
 */
export type LookupFailureKind = "empty" | "timeout" | "not-sent" | "unusable" | "failed";

const kinds: Readonly<Record<string, LookupFailureKind>> = {
  ENOTFOUND: "empty",
  ENODATA: "empty",
  EAI_NODATA: "empty",
  EAI_NONAME: "empty",
  ETIMEOUT: "timeout",
  ECANCELLED: "timeout",
};

/** Codes that c-ares and getaddrinfo also report when no file descriptor is left. */
const ambiguous: ReadonlySet<string> = new Set(["ECONNREFUSED", "EMFILE", "ENFILE", "EAI_AGAIN", "ENOTFOUND"]);

/** A lookup without a usable result. */
export class LookupFailure extends Error {
  override readonly name = "LookupFailure";
  readonly kind: LookupFailureKind;

  constructor(reason: string, kind: LookupFailureKind) {
    super(reason);
    this.kind = kind;
  }

  get empty(): boolean {
    return this.kind === "empty";
  }

  static from(error: unknown): LookupFailure {
    if (error instanceof LookupFailure) return error;
    const code = String((error as { code?: unknown } | null)?.code);
    if (ambiguous.has(code) && isOutOfDescriptors()) {
      return new LookupFailure("no file descriptor is left for a lookup", "not-sent");
    }
    return new LookupFailure(reasons[code] ?? "an unknown failure", kinds[code] ?? "failed");
  }
}

/** The error of a connection whose name was not resolved, with the code of Node's own lookup. */
export class LookupError extends Error {
  override readonly name = "LookupError";
  readonly code: "ENOTFOUND" | "EAI_AGAIN" | "EMFILE";

  constructor(hostname: string, failure: LookupFailure) {
    super(`looking up ${hostname} failed: ${failure.message}`, { cause: failure });
    if (failure.kind === "not-sent") this.code = "EMFILE";
    else this.code = failure.empty ? "ENOTFOUND" : "EAI_AGAIN";
  }
}
