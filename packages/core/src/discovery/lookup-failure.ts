/** Node's DNS codes in the words of those who run DNS servers. */
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
};

/** A look-up that has found nobody. */
export class LookupFailure extends Error {
  override readonly name = "LookupFailure";
  /** DNS has said that there is nothing, rather than failed to say anything. */
  readonly empty: boolean;

  constructor(reason: string, empty: boolean) {
    super(reason);
    this.empty = empty;
  }

  static from(error: unknown): LookupFailure {
    if (error instanceof LookupFailure) return error;
    const code = String((error as { code?: unknown } | null)?.code);
    return new LookupFailure(reasons[code] ?? "an unknown failure", code === "ENOTFOUND" || code === "ENODATA");
  }
}
