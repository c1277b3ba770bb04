import { targetsAndRouting } from "../../../core/test/security/cases/targets-and-routing.ts";
import { testCases } from "../../../core/test/support/raw-case.ts";
import { fastifyLayer } from "../support/layers.ts";

testCases(fastifyLayer, targetsAndRouting, { only: ["one packet"] });
