import { coreLayer } from "../support/layers.ts";
import { testCases } from "../support/raw-case.ts";
import { targetsAndRouting } from "./cases/targets-and-routing.ts";

testCases(coreLayer, targetsAndRouting);
