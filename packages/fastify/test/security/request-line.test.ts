import { requestLine } from "../../../core/test/security/cases/request-line.ts";
import { testCases } from "../../../core/test/support/raw-case.ts";
import { fastifyLayer } from "../support/layers.ts";

testCases(fastifyLayer, requestLine, { only: ["one packet"] });
