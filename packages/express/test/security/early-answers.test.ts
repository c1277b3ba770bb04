import { earlyAnswers } from "../../../core/test/security/cases/early-answers.ts";
import { testCases } from "../../../core/test/support/raw-case.ts";
import { expressLayer } from "../support/layers.ts";

testCases(expressLayer, earlyAnswers, { only: ["one packet"] });
