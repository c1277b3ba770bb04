import { common, framing } from "../../../core/test/security/case-lists.ts";
import { mounts } from "../../../core/test/security/cases/mounts.ts";
import { testCases } from "../../../core/test/support/raw-case.ts";
import { fastifyLayer, mountedFastifyLayer } from "../support/layers.ts";

testCases(fastifyLayer, framing);
testCases(fastifyLayer, common, { only: ["one packet"] });
testCases(mountedFastifyLayer, { mounts }, { only: ["one packet"] });
