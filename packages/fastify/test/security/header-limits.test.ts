import { headerLimits } from "../../../core/test/security/cases/header-limits.ts";
import { testCases } from "../../../core/test/support/raw-case.ts";
import { fastifyLayer } from "../support/layers.ts";

testCases(fastifyLayer, headerLimits, { only: ["one packet"] });
