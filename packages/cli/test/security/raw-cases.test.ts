import { common, framing } from "../../../core/test/security/case-lists.ts";
import { testCases } from "../../../core/test/support/raw-case.ts";
import { cliLayer } from "../support/layers.ts";

testCases(cliLayer, framing);
testCases(cliLayer, common, { only: ["one packet"] });
