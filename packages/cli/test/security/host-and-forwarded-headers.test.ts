import { hostAndForwardedHeaders } from "../../../core/test/security/cases/host-and-forwarded-headers.ts";
import { testCases } from "../../../core/test/support/raw-case.ts";
import { cliLayer } from "../support/layers.ts";

testCases(cliLayer, hostAndForwardedHeaders, { only: ["one packet"] });
