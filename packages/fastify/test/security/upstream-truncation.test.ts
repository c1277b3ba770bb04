import { upstreamTruncation } from "../../../core/test/security/cases/upstream-truncation.ts";
import { testCases } from "../../../core/test/support/raw-case.ts";
import { fastifyLayer } from "../support/layers.ts";

testCases(fastifyLayer, upstreamTruncation, { only: ["one packet"] });
