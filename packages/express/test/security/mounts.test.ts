import { mounts } from "../../../core/test/security/cases/mounts.ts";
import { testCases } from "../../../core/test/support/raw-case.ts";
import { mountedExpressLayer } from "../support/layers.ts";

testCases(mountedExpressLayer, mounts, { only: ["one packet"] });
