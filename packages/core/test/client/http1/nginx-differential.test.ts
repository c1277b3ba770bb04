import { describe, expect, test } from "vitest";
import { seededRandom } from "../../support/seeded-random.ts";
import { hasProgram } from "../../support/server-programs.ts";
import { generate } from "./fuzz/generate.ts";
import { laxerThanNginx, stricterThanNginx } from "./fuzz/nginx-disagreements.ts";
import { NginxReader, type NginxRequest, type NginxVerdict } from "./fuzz/nginx-reader.ts";
import { readOurs, type Verdict } from "./fuzz/read-requests.ts";

// `pnpm fuzz nginx` sets these; see scripts/fuzz.js.
const count = Number(process.env["FUZZ_RUNS"] ?? 300);
const seed = Number(process.env["FUZZ_SEED"] ?? 1);
/** For one nginx and its upstream, which keeps all that it has received. */
const mostAtOnce = 50_000;
const mostFaults = 20;
const starts = Array.from({ length: Math.ceil(count / mostAtOnce) }, (_, index) => index * mostAtOnce);

describe.skipIf(!hasProgram("nginx"))(`requests from a grammar, with and without faults, seed ${seed}`, () => {
  test.each(starts)(
    "are read like nginx reads them, or refused by one of the two for a known reason, from %i",
    async (from) => {
      const nginx = await NginxReader.start();
      const to = Math.min(count, from + mostAtOnce);
      const disagreements = new Map<string, number>();
      const faults: string[] = [];
      let agreed = 0;
      for (let number = from; number < to && faults.length < mostFaults; number++) {
        const generated = generate(seededRandom(seed * 1_000_003 + number)).bytes.toString("latin1");
        const text = number % 4 === 0 ? generated : withinLimits(generated);
        const bytes = Buffer.from(text, "latin1");
        const found = compare(text, readOurs([bytes]), await nginx.read(bytes));
        if (found === undefined) agreed++;
        else if (found.known) disagreements.set(found.what, (disagreements.get(found.what) ?? 0) + 1);
        else faults.push(`${found.what}\n  case ${number} of seed ${seed}: ${JSON.stringify(text).slice(0, 2_000)}`);
      }
      if (count >= mostAtOnce) console.log(`${agreed} of ${from} to ${to} agreed; disagreements:`, disagreements);
      expect(faults.join("\n")).toBe("");
      expect(agreed).toBeGreaterThan((to - from) * 0.6);
    },
  );
});

interface Disagreement {
  readonly what: string;
  readonly known: boolean;
}

function compare(text: string, ours: Verdict, theirs: NginxVerdict): Disagreement | undefined {
  const read = ours.requests.map(asPassedOn);
  const both = Math.min(read.length, theirs.requests.length);
  const index = read.findIndex((request, at) => at < both && !isSame(request, theirs.requests[at]));
  if (index !== -1) {
    const [here, there] = [read[index], theirs.requests[index]].map((request) => JSON.stringify(request));
    return { what: `nginx reads request ${index} as ${there}, not ${here}`, known: false };
  }
  if (theirs.requests.length > both) {
    const known = stricterThanNginx.some(({ reason, shows }) => reason === ours.reason && shows.test(text));
    return { what: `refused here alone: ${ours.reason || ours.end}`, known };
  }
  if (read.length > both || (ours.end === "open" && theirs.refusal !== "")) {
    const reason = laxerThanNginx.find(({ refusal, shows }) => refusal.test(theirs.refusal) && shows.test(text));
    return { what: `refused by nginx alone: ${theirs.refusal}`, known: reason !== undefined };
  }
  return undefined;
}

/** Nginx refuses tabs around the values of these fields, and `*`: most cases would say no more than that. */
function withinLimits(text: string): string {
  const lines = text.replaceAll(/^(?:host|content-length|transfer-encoding):.*/gim, (line) =>
    line.replaceAll("\t", " "),
  );
  return lines.replaceAll(" * HTTP/", " / HTTP/");
}

/** A target in absolute form becomes one in origin form on the way (RFC 9112 section 3.2.1). */
function asPassedOn({ method, target, body }: NginxRequest): NginxRequest {
  const origin = target.replace(/^[a-z][a-z\d+.-]*:\/\/[^/?]*/i, "");
  return { method, target: origin.startsWith("/") ? origin : `/${origin}`, body };
}

function isSame(one: NginxRequest, other: NginxRequest | undefined): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
