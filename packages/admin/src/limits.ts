/** The fixed limits of the admin API. */
export const limits = {
  /** Bytes of a request's body. */
  bodyBytes: 16_384,
  /** Milliseconds from a request's head to the end of its body. */
  bodyMs: 5_000,
} as const;
