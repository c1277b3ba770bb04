import { targetsAndRouting } from "../../../core/test/security/cases/targets-and-routing.ts";
import { testCases } from "../../../core/test/support/raw-case.ts";
import { cliLayer } from "../support/layers.ts";

testCases(cliLayer, targetsAndRouting, { only: ["one packet"] });
