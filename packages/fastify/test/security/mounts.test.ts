import { mounts } from "../../../core/test/security/cases/mounts.ts";
import { testCases } from "../../../core/test/support/raw-case.ts";
import { mountedFastifyLayer } from "../support/layers.ts";

testCases(mountedFastifyLayer, mounts, { only: ["one packet"] });
