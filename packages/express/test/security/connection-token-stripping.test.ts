import { connectionTokenStripping } from "../../../core/test/security/cases/connection-token-stripping.ts";
import { testCases } from "../../../core/test/support/raw-case.ts";
import { expressLayer } from "../support/layers.ts";

testCases(expressLayer, connectionTokenStripping, { only: ["one packet"] });
