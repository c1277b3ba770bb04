import { requestFraming } from "../../../core/test/security/cases/request-framing.ts";
import { testCases } from "../../../core/test/support/raw-case.ts";
import { expressLayer } from "../support/layers.ts";

testCases(expressLayer, requestFraming);
