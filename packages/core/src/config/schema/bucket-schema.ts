import type * as z from "zod";
import { parseSeconds } from "../duration.ts";
import { durationPattern, list, text } from "./field-schemas.ts";

/** The upper bounds of a histogram's buckets. */
export const buckets = (max: number): z.ZodArray<z.ZodString> => {
  const error = `expected 1 to ${max} durations`;
  return list("durations", text('a duration such as "250ms"').meta({ pattern: durationPattern }))
    .min(1, { error })
    .max(max, { error })
    .superRefine((values, context) => {
      let last = 0;
      const fail = (message: string, path: PropertyKey[]) => context.addIssue({ code: "custom", message, path });
      for (const [index, value] of values.entries()) {
        const seconds = parseSeconds(value);
        const found = `found ${JSON.stringify(value)}`;
        const path = [index];
        if (seconds === undefined) fail(`expected a duration such as "2.5ms" or "1s", ${found}`, path);
        else if (seconds <= 0 || seconds > 3_600) fail(`expected a duration above 0s up to 1h, ${found}`, path);
        else if (seconds <= last) fail(`expected a longer duration than the one before, ${found}`, path);
        last = seconds ?? last;
      }
    });
};
