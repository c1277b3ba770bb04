import { upgrades } from "../../../core/test/security/cases/upgrades.ts";
import { testCases } from "../../../core/test/support/raw-case.ts";
import { fastifyLayer } from "../support/layers.ts";

testCases(fastifyLayer, upgrades, { only: ["one packet"] });
