import { requestFraming } from "../../../core/test/security/cases/request-framing.ts";
import { testCases } from "../../../core/test/support/raw-case.ts";
import { cliLayer } from "../support/layers.ts";

testCases(cliLayer, requestFraming);
