import { coreLayer } from "../support/layers.ts";
import { testCases } from "../support/raw-case.ts";
import { pipelining } from "./cases/pipelining.ts";

testCases(coreLayer, pipelining);
