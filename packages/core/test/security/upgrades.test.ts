import { coreLayer } from "../support/layers.ts";
import { testCases } from "../support/raw-case.ts";
import { upgrades } from "./cases/upgrades.ts";

testCases(coreLayer, upgrades);
