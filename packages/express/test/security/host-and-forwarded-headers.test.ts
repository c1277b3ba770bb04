import { hostAndForwardedHeaders } from "../../../core/test/security/cases/host-and-forwarded-headers.ts";
import { testCases } from "../../../core/test/support/raw-case.ts";
import { expressLayer } from "../support/layers.ts";

testCases(expressLayer, hostAndForwardedHeaders, { only: ["one packet"] });
