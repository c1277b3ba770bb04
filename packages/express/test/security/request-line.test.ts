import { requestLine } from "../../../core/test/security/cases/request-line.ts";
import { testCases } from "../../../core/test/support/raw-case.ts";
import { expressLayer } from "../support/layers.ts";

testCases(expressLayer, requestLine, { only: ["one packet"] });
