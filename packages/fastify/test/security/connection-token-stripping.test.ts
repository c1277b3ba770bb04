import { connectionTokenStripping } from "../../../core/test/security/cases/connection-token-stripping.ts";
import { testCases } from "../../../core/test/support/raw-case.ts";
import { fastifyLayer } from "../support/layers.ts";

testCases(fastifyLayer, connectionTokenStripping, { only: ["one packet"] });
