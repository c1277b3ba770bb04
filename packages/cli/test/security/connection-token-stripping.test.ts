import { connectionTokenStripping } from "../../../core/test/security/cases/connection-token-stripping.ts";
import { testCases } from "../../../core/test/support/raw-case.ts";
import { cliLayer } from "../support/layers.ts";

testCases(cliLayer, connectionTokenStripping, { only: ["one packet"] });
