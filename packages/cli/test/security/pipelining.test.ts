import { pipelining } from "../../../core/test/security/cases/pipelining.ts";
import { testCases } from "../../../core/test/support/raw-case.ts";
import { cliLayer } from "../support/layers.ts";

testCases(cliLayer, pipelining, { only: ["one packet"] });
