import { coreLayer } from "../support/layers.ts";
import { testCases } from "../support/raw-case.ts";
import { upgradeAnswers } from "./cases/upgrade-answers.ts";

testCases(coreLayer, upgradeAnswers);
