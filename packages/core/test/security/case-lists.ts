import type { CaseLists } from "../support/raw-case.ts";
import { chunkedFraming } from "./cases/chunked-framing.ts";
import { connectionTokenStripping } from "./cases/connection-token-stripping.ts";
import { earlyAnswers } from "./cases/early-answers.ts";
import { headerLimits } from "./cases/header-limits.ts";
import { hostAndForwardedHeaders } from "./cases/host-and-forwarded-headers.ts";
import { pipelining } from "./cases/pipelining.ts";
import { requestFraming } from "./cases/request-framing.ts";
import { requestLine } from "./cases/request-line.ts";
import { targetsAndRouting } from "./cases/targets-and-routing.ts";
import { upgradeAnswers } from "./cases/upgrade-answers.ts";
import { upgrades } from "./cases/upgrades.ts";
import { upstreamAnswers } from "./cases/upstream-answers.ts";
import { upstreamTruncation } from "./cases/upstream-truncation.ts";

/** Where a message ends: every layer sees these cut into packets in every way. */
export const framing: CaseLists = {
  "chunked framing": chunkedFraming,
  "request framing": requestFraming,
};

/** What else every layer gets. */
export const common: CaseLists = {
  "connection token stripping": connectionTokenStripping,
  "early answers": earlyAnswers,
  "header limits": headerLimits,
  "host and forwarded headers": hostAndForwardedHeaders,
  pipelining,
  "request line": requestLine,
  "targets and routing": targetsAndRouting,
  upgrades,
  "upstream truncation": upstreamTruncation,
};

/** What is independent of the layer. */
export const upstreamSide: CaseLists = {
  "upgrade answers": upgradeAnswers,
  "upstream answers": upstreamAnswers,
};
