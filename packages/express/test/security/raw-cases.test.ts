import { describe } from "vitest";
import { common, framing } from "../../../core/test/security/case-lists.ts";
import { mounts } from "../../../core/test/security/cases/mounts.ts";
import { requestLine } from "../../../core/test/security/cases/request-line.ts";
import { upgrades } from "../../../core/test/security/cases/upgrades.ts";
import { testCases } from "../../../core/test/support/raw-case.ts";
import { express4Layer, expressLayer, mountedExpress4Layer, mountedExpressLayer } from "../support/layers.ts";

describe("Express 5", () => {
  testCases(expressLayer, framing);
  testCases(expressLayer, common, { only: ["one packet"] });
  testCases(mountedExpressLayer, { mounts }, { only: ["one packet"] });
});

describe("Express 4", () => {
  testCases(express4Layer, { "request line": requestLine, upgrades }, { only: ["one packet"] });
  testCases(mountedExpress4Layer, { mounts }, { only: ["one packet"] });
});
