import { upstreamTruncation } from "../../../core/test/security/cases/upstream-truncation.ts";
import { testCases } from "../../../core/test/support/raw-case.ts";
import { cliLayer } from "../support/layers.ts";

testCases(cliLayer, upstreamTruncation, { only: ["one packet"] });
