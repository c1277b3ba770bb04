import { earlyAnswers } from "../../../core/test/security/cases/early-answers.ts";
import { testCases } from "../../../core/test/support/raw-case.ts";
import { fastifyLayer } from "../support/layers.ts";

testCases(fastifyLayer, earlyAnswers, { only: ["one packet"] });
