import { mounts } from "../../../core/test/security/cases/mounts.ts";
import { requestLine } from "../../../core/test/security/cases/request-line.ts";
import { upgrades } from "../../../core/test/security/cases/upgrades.ts";
import { testCases } from "../../../core/test/support/raw-case.ts";
import { express4Layer, mountedExpress4Layer } from "../support/layers.ts";

testCases(express4Layer, requestLine, { only: ["one packet"] });
testCases(express4Layer, upgrades, { only: ["one packet"] });
testCases(mountedExpress4Layer, mounts, { only: ["one packet"] });
