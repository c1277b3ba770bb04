import { earlyAnswers } from "../../../core/test/security/cases/early-answers.ts";
import { testCases } from "../../../core/test/support/raw-case.ts";
import { cliLayer } from "../support/layers.ts";

testCases(cliLayer, earlyAnswers, { only: ["one packet"] });
