import { coreLayer } from "../support/layers.ts";
import { testCases } from "../support/raw-case.ts";
import { headerLimits } from "./cases/header-limits.ts";

testCases(coreLayer, headerLimits);
