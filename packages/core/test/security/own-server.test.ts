import { ownLayer } from "../support/own-layer.ts";
import { testCases } from "../support/raw-case.ts";
import { common, framing, upstreamSide } from "./case-lists.ts";
import { exactFaults } from "./cases/exact-faults.ts";

testCases(ownLayer, { ...framing, ...common, ...upstreamSide, "exact faults": exactFaults });
