import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import * as announceLoad from "../src/announce-load.ts";
import * as api from "../src/index.ts";
import * as server from "../src/server/index.ts";

const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string };

test("the exports are exactly these, so that no export is added or removed by accident", () => {
  const exports = Object.entries(api).map(([name, value]) => `${name}: ${typeof value}`);
  expect(exports.sort()).toMatchInlineSnapshot(`
    [
      "Balancer: function",
      "GroupSnapshots: function",
      "HealthChecker: function",
      "LimitGrantor: function",
      "OptionsError: function",
      "OutlierDetector: function",
      "Pool: function",
      "ProxyError: function",
      "RepeatedProblem: function",
      "SharedState: function",
      "checkHooks: function",
      "checkOptions: function",
      "checkUpstreamChange: function",
      "createProxy: function",
      "declineUpgrade: function",
      "describeChanges: function",
      "didYouMean: function",
      "endLingering: function",
      "formatListenAddress: function",
      "formatPath: function",
      "formatReport: function",
      "freezeDeep: function",
      "headerRule: function",
      "inTurn: function",
      "isClaimed: function",
      "isHeaderTable: function",
      "isLinkLocalOrMetadata: function",
      "isLoopbackAddress: function",
      "isSecretName: function",
      "isUpstreamFailure: function",
      "logPoolEvents: function",
      "maskSecrets: function",
      "mergeExplanations: function",
      "mergeFailures: function",
      "mergeSnapshots: function",
      "offersWebSocket: function",
      "optionKeys: function",
      "optionSchemas: object",
      "outbound: function",
      "parseDuration: function",
      "parseListenAddress: function",
      "parseSize: function",
      "poolEventNames: object",
      "seededRandom: function",
      "serveAsRequest: function",
      "serverLimitShape: object",
      "serverShape: object",
      "serverTimeoutShape: object",
      "simulate: function",
      "systemClock: object",
      "version: string",
      "withoutSecrets: function",
    ]
  `);
});

test("the exports of evenkeel/announce-load are exactly these", () => {
  expect(Object.keys(announceLoad).sort()).toEqual(["announceLoad", "loopLoad"]);
});

test("the exports of evenkeel/server are exactly these", () => {
  expect(Object.keys(server).sort()).toEqual([
    "ListenError",
    "ReceivedSockets",
    "SocketAcceptor",
    "SystemdSockets",
    "createServer",
    "listen",
    "parseListenFds",
  ]);
});

test("the version is that in package.json", () => {
  expect(api.version).toBe(manifest.version);
});
