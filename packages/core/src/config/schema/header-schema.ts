import type * as z from "zod";
import { hostText } from "../settable-header.ts";
import { changeableName, headerValue, list, record, table } from "./field-schemas.ts";

/** Rejects names that differ only in letter case: the header would be sent twice. */
const headersToSet: z.ZodRecord<z.ZodString, z.ZodString> = record(
  "headers",
  changeableName(),
  headerValue(),
).superRefine((set, context) => {
  const seen = new Set<string>();
  for (const [name, value] of Object.entries(set)) {
    const lower = name.toLowerCase();
    if (seen.has(lower)) context.addIssue({ code: "custom", path: [name], message: "this header is set twice" });
    if (lower === "host" && !hostText.test(value)) {
      context.addIssue({ code: "custom", path: [name], message: "expected a host, with a port or without" });
    }
    seen.add(lower);
  }
});

/** The header changes of a route. `removable` is the schema of the names in `remove`. */
export const headerChanges = (
  removable: () => z.ZodString,
): z.ZodObject<
  { set: z.ZodOptional<typeof headersToSet>; remove: z.ZodOptional<z.ZodArray<z.ZodString>> },
  z.core.$strict
> => table({ set: headersToSet.optional(), remove: list("header names", removable()).optional() });
