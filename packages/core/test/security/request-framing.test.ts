import { coreLayer } from "../support/layers.ts";
import { testCases } from "../support/raw-case.ts";
import { requestFraming } from "./cases/request-framing.ts";

testCases(coreLayer, requestFraming);
