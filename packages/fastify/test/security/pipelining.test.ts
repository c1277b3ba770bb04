import { pipelining } from "../../../core/test/security/cases/pipelining.ts";
import { testCases } from "../../../core/test/support/raw-case.ts";
import { fastifyLayer } from "../support/layers.ts";

testCases(fastifyLayer, pipelining, { only: ["one packet"] });
