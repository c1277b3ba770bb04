import { upgrades } from "../../../core/test/security/cases/upgrades.ts";
import { testCases } from "../../../core/test/support/raw-case.ts";
import { cliLayer } from "../support/layers.ts";

testCases(cliLayer, upgrades, { only: ["one packet"] });
