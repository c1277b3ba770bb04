import { upgrades } from "../../../core/test/security/cases/upgrades.ts";
import { testCases } from "../../../core/test/support/raw-case.ts";
import { expressLayer } from "../support/layers.ts";

testCases(expressLayer, upgrades, { only: ["one packet"] });
