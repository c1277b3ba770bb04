/** The responses of the backends by path. */
export const bodies = {
  "/small": "Twenty-seven bytes, no more",
  "/1k": "x".repeat(1_000),
  "/100k": "x".repeat(100_000),
};

/** Further headers of a typical application. */
export const headers = {
  "Cache-Control": "private, max-age=0, must-revalidate",
  Vary: "Accept-Encoding, Cookie",
  "Set-Cookie": "session=0123456789abcdef; Path=/; HttpOnly; SameSite=Lax",
  "X-Request-Id": "4b7d7a0e-2f0c-4d58-9a3b-1c8a8f1d2e3f",
  "Strict-Transport-Security": "max-age=31536000",
};
