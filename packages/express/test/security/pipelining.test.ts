import { pipelining } from "../../../core/test/security/cases/pipelining.ts";
import { testCases } from "../../../core/test/support/raw-case.ts";
import { expressLayer } from "../support/layers.ts";

testCases(expressLayer, pipelining, { only: ["one packet"] });
