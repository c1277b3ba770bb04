import { coreLayer } from "../support/layers.ts";
import { testCases } from "../support/raw-case.ts";
import { hostAndForwardedHeaders } from "./cases/host-and-forwarded-headers.ts";

testCases(coreLayer, hostAndForwardedHeaders);
