import { isOutOfDescriptors } from "./file-descriptors.ts";

/** The codes of node:dns in the words of DNS. */
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
 * What a failure says: `empty` that DNS knows of nothing (NXDOMAIN, or no records of the kind), `timeout` that no answer
 * came in time, `unasked` that this process had no file descriptor left to ask with, `unusable` that every address is one
 * that DNS must not lead to, `failed` anything else.
 */
export type LookupFailureKind = "empty" | "timeout" | "unasked" | "unusable" | "failed";

const kinds: Readonly<Record<string, LookupFailureKind>> = {
  ENOTFOUND: "empty",
  ENODATA: "empty",
  EAI_NODATA: "empty",
  EAI_NONAME: "empty",
  ETIMEOUT: "timeout",
  ECANCELLED: "timeout",
};

/** Codes behind which there may be a lack of file descriptors, of which neither c-ares nor getaddrinfo tells. */
const doubtful: ReadonlySet<string> = new Set(["ECONNREFUSED", "EMFILE", "ENFILE", "EAI_AGAIN", "ENOTFOUND"]);

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
    if (doubtful.has(code) && isOutOfDescriptors()) {
      return new LookupFailure("no file descriptor is left for a lookup", "unasked");
    }
    return new LookupFailure(reasons[code] ?? "an unknown failure", kinds[code] ?? "failed");
  }
}

/** The error of a connection whose name was not resolved, with the code that Node's own lookup would have given it. */
export class LookupError extends Error {
  override readonly name = "LookupError";
  readonly code: "ENOTFOUND" | "EAI_AGAIN" | "EMFILE";

  constructor(hostname: string, failure: LookupFailure) {
    super(`looking up ${hostname} failed: ${failure.message}`, { cause: failure });
    if (failure.kind === "unasked") this.code = "EMFILE";
    else this.code = failure.empty ? "ENOTFOUND" : "EAI_AGAIN";
  }
}
