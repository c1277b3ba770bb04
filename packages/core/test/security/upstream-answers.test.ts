import { coreLayer } from "../support/layers.ts";
import { testCases } from "../support/raw-case.ts";
import { upstreamAnswers } from "./cases/upstream-answers.ts";

testCases(coreLayer, upstreamAnswers);
