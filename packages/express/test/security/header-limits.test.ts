import { headerLimits } from "../../../core/test/security/cases/header-limits.ts";
import { testCases } from "../../../core/test/support/raw-case.ts";
import { expressLayer } from "../support/layers.ts";

testCases(expressLayer, headerLimits, { only: ["one packet"] });
