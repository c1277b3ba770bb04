import { coreLayer } from "../support/layers.ts";
import { testCases } from "../support/raw-case.ts";
import { common, framing, upstreamSide } from "./case-lists.ts";

testCases(coreLayer, { ...framing, ...common, ...upstreamSide });
