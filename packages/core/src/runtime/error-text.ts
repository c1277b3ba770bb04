/** Returns the message of a thrown value, which can be anything. */
export function messageOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error);
  } catch {
    return "an object without a text";
  }
}
