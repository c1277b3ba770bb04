import { requestLine } from "../../../core/test/security/cases/request-line.ts";
import { testCases } from "../../../core/test/support/raw-case.ts";
import { cliLayer } from "../support/layers.ts";

testCases(cliLayer, requestLine, { only: ["one packet"] });
