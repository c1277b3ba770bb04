import { coreLayer } from "../support/layers.ts";
import { testCases } from "../support/raw-case.ts";
import { earlyAnswers } from "./cases/early-answers.ts";

testCases(coreLayer, earlyAnswers);
