import { X509Certificate } from "node:crypto";

/** The period in which every certificate of a chain is valid, in milliseconds since 1970. */
export interface Validity {
  readonly from: number;
  readonly until: number;
}

const dayMs = 86_400_000;

/** Returns the validity of the certificates in a PEM text. Returns undefined if none can be read. */
export function validityOf(pem: string): Validity | undefined {
  const blocks = pem.match(/-----BEGIN (?:TRUSTED )?CERTIFICATE-----.*?-----END (?:TRUSTED )?CERTIFICATE-----/gs) ?? [];
  if (blocks.length === 0) return undefined;
  try {
    const certificates = blocks.map((block) => new X509Certificate(block));
    return {
      from: Math.max(...certificates.map(({ validFrom }) => Date.parse(validFrom))),
      until: Math.min(...certificates.map(({ validTo }) => Date.parse(validTo))),
    };
  } catch {
    return undefined;
  }
}

/**
 * Returns a warning about a certificate that has expired, expires soon or is not valid yet. Soon is 14 days, or a third of its
 * lifetime if that is less: certificates with a lifetime of a few days are renewed later.
 */
export function expiryWarning({ from, until }: Validity, now: number): string | undefined {
  const day = (time: number) => new Date(time).toISOString().slice(0, 16).replace("T", " ");
  if (now < from) return `is not valid before ${day(from)} UTC`;
  if (now >= until) return `expired at ${day(until)} UTC`;
  if (until - now > Math.min(14 * dayMs, (until - from) / 3)) return undefined;
  const left = until - now;
  const hours = Math.floor(left / 3_600_000);
  return `expires at ${day(until)} UTC, in ${left < 2 * dayMs ? `${hours} h` : `${Math.floor(left / dayMs)} days`}`;
}
