import { coreLayer } from "../support/layers.ts";
import { testCases } from "../support/raw-case.ts";
import { chunkedFraming } from "./cases/chunked-framing.ts";

testCases(coreLayer, chunkedFraming);
