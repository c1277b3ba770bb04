import { upstreamTruncation } from "../../../core/test/security/cases/upstream-truncation.ts";
import { testCases } from "../../../core/test/support/raw-case.ts";
import { expressLayer } from "../support/layers.ts";

testCases(expressLayer, upstreamTruncation, { only: ["one packet"] });
