import { targetsAndRouting } from "../../../core/test/security/cases/targets-and-routing.ts";
import { testCases } from "../../../core/test/support/raw-case.ts";
import { expressLayer } from "../support/layers.ts";

testCases(expressLayer, targetsAndRouting, { only: ["one packet"] });
