import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { expiryWarning, validityOf } from "../../src/primary/certificate-validity.ts";

const pem = (name: string) => readFileSync(new URL(`../support/certs/${name}.crt`, import.meta.url), "utf8");
const day = 86_400_000;
const start = Date.UTC(2024, 0, 1);

describe("the validity of a PEM text", () => {
  test("is the validity of its certificate", () => {
    expect(validityOf(pem("expired"))).toEqual({ from: Date.UTC(2023, 0, 1), until: Date.UTC(2024, 0, 1) });
  });

  test("of a chain is the period in which all certificates are valid", () => {
    const from = validityOf(pem("localhost"))?.from;
    expect(validityOf(`${pem("localhost")}\n${pem("expired")}`)).toEqual({ from, until: Date.UTC(2024, 0, 1) });
  });

  test.each(["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"])(
    "is unknown of %j",
    (text) => {
      expect(validityOf(text)).toBeUndefined();
    },
  );
});

describe("a certificate", () => {
  test.each([
    ["of 90 days, with 14 left", 90, 76, "expires at 2024-03-31 00:00 UTC, in 14 days"],
    ["of 90 days, with 15 left", 90, 75, undefined],
    ["of 6 days, with 2 left", 6, 4, "expires at 2024-01-07 00:00 UTC, in 2 days"],
    ["of 6 days, with 3 left", 6, 3, undefined],
    ["of 90 days, in its last hours", 90, 89.5, "expires at 2024-03-31 00:00 UTC, in 12 h"],
    ["that has expired", 90, 90, "expired at 2024-03-31 00:00 UTC"],
    ["that is not valid yet", 90, -1, "is not valid before 2024-01-01 00:00 UTC"],
  ])("%s", (_, lifetime, age, warning) => {
    expect(expiryWarning({ from: start, until: start + lifetime * day }, start + age * day)).toBe(warning);
  });
});
