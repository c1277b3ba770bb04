import type { Reason, UpstreamExplanation } from "evenkeel";

/** Describes an upstream: its chance, the reasons, and what it would get. */
export function describeUpstream({
  id,
  chance,
  candidate,
  because,
  path,
  host,
  reasons,
}: UpstreamExplanation): string[] {
  return [
    `${id}  ${candidate || chance > 0 ? `${Math.round(chance * 1_000) / 10} %` : "not now"}  ${because}`,
    ...reasons.map(({ speaks, text }) => `    ${marks[speaks]} ${text}`),
    `    gets ${path}, Host ${host}`,
  ];
}

const marks: Readonly<Record<Reason["speaks"], string>> = { for: "+", against: "-", share: "~" };
