import { coreLayer } from "../support/layers.ts";
import { testCases } from "../support/raw-case.ts";
import { connectionTokenStripping } from "./cases/connection-token-stripping.ts";

testCases(coreLayer, connectionTokenStripping);
