import { coreLayer } from "../support/layers.ts";
import { testCases } from "../support/raw-case.ts";
import { requestLine } from "./cases/request-line.ts";

testCases(coreLayer, requestLine);
