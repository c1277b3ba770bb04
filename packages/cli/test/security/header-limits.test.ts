import { headerLimits } from "../../../core/test/security/cases/header-limits.ts";
import { testCases } from "../../../core/test/support/raw-case.ts";
import { cliLayer } from "../support/layers.ts";

testCases(cliLayer, headerLimits, { only: ["one packet"] });
