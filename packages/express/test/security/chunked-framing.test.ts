import { chunkedFraming } from "../../../core/test/security/cases/chunked-framing.ts";
import { testCases } from "../../../core/test/support/raw-case.ts";
import { expressLayer } from "../support/layers.ts";

testCases(expressLayer, chunkedFraming);
