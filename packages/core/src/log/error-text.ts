/** Returns the message of a thrown value. */
export function messageOf(error: unknown): string {
  try {
    return error instanceof Error ? error.message : String(error);
  } catch {
    return "an object without a text";
  }
}
