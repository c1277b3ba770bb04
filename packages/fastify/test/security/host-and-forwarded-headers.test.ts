import { hostAndForwardedHeaders } from "../../../core/test/security/cases/host-and-forwarded-headers.ts";
import { testCases } from "../../../core/test/support/raw-case.ts";
import { fastifyLayer } from "../support/layers.ts";

testCases(fastifyLayer, hostAndForwardedHeaders, { only: ["one packet"] });
