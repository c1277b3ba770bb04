import { coreLayer } from "../support/layers.ts";
import { testCases } from "../support/raw-case.ts";
import { upstreamTruncation } from "./cases/upstream-truncation.ts";

testCases(coreLayer, upstreamTruncation);
