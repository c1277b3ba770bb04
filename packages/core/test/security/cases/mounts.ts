/**
 * The proxy below /api in an app of which the rest is not its business. What is matched is up to the app's router; what
 * comes of it is not.
 */

import { answeredByApp, badTarget, both, closed, forwarded, holds, oneOf } from "../../support/expectations.ts";
import type { RawCase } from "../../support/raw-case.ts";
import { handshake, right } from "./handshake.ts";
import { get } from "./targets-and-routing.ts";

const below: readonly RawCase[] = [
  ["/api", "/"],
  ["/api/", "/"],
  ["/api?x=/../y", "/?x=/../y"],
  ["/api/x", "/x"],
  ["/api/x/?y", "/x/?y"],
  ["/api/a%2Fb", "/a%2Fb"],
  ["/api/%61", "/%61"],
  ["/api/api", "/api"],
  ["/api/[...slug]", "/[...slug]"],
  ["/api/a..b", "/a..b"],
  ["/api/http://evil/", "/http://evil/"],
  ["http://h/api/x", "/x"],
  ["http://h/api", "/"],
].map(([target = "", upstream = ""]) => ({
  id: `${target} goes on as ${upstream}`,
  bytes: get(target),
  expect: both(
    forwarded({ target: upstream, fields: { Host: ["h"], "X-Forwarded-Prefix": ["/api"] } }),
    // A framework does not say whether there was a slash behind the mount path.
    holds("told as it was sent", ({ events: [event] }) =>
      [target, target.replace("/api", "/api/")].includes(event?.url ?? ""),
    ),
  ),
}));

/** Routers differ in case and in escapes; then the prefix that the upstream is told is the one that was sent. */
const spelledOtherwise: readonly RawCase[] = [
  ["/API/x", "/API"],
  ["/%61pi/x", "/%61pi"],
].map(([target = "", prefix = ""]) => ({
  id: `B05 ${target}`,
  bytes: get(target),
  expect: oneOf(answeredByApp(404), forwarded({ target: "/x", fields: { "X-Forwarded-Prefix": [prefix] } })),
}));

/** Express 4 takes off one of the slashes with the mount path. */
const twoSlashes: RawCase = {
  id: "/api//x goes on as //x",
  bytes: get("/api//x"),
  expect: oneOf(forwarded({ target: "//x" }), forwarded({ target: "/x" })),
};

const outside = [
  "/apix",
  "/api-extra",
  "/api.x",
  "/ap",
  "/api%2fx",
  "/api%2Fx",
  "//api/x",
  "/api;x",
  "/x/api",
  "/",
  "/?/api",
];

const elsewhere: readonly RawCase[] = outside.map((target) => ({
  id: `B05 ${target} is not below /api`,
  bytes: get(target),
  expect: answeredByApp(404),
}));

/** Taking a prefix off is work on the path: what an upstream would resolve could lead out of it. */
const climbs = [
  "/api/../admin",
  "/api/%2e%2e/admin",
  "/api/..%2fadmin",
  "/api/.%2e/",
  "/api/..\\x",
  "/api/..%5cx",
  "/api/..;/x",
  "/api/x/..",
  "/api/..",
  "/api/x/%2E%2e/%2e%2e/y",
  "/api/..?x",
  "http://h/api/../x",
];

const climbing: readonly RawCase[] = climbs.map((target) => ({
  id: `B04 ${target}`,
  bytes: get(target),
  expect: badTarget,
}));

const refused: readonly RawCase[] = ["http://evil/api", "/api#x", "/api/%zz", "/api/a#b"].map((target) => ({
  id: `${target} below a mount path`,
  bytes: get(target),
  expect: badTarget,
}));

/** An upgrade passes the same checks as a request: whoever answers, nothing goes to an upstream. */
const upgrades: readonly RawCase[] = [...outside, ...climbs, "http://evil/api", "/api#x", "*", "/%2e/api/../x"].map(
  (target) => ({
    id: `E14 a handshake for ${target}`,
    bytes: handshake(right, { target }),
    expect: both(
      holds("refused", ({ responses }) => responses.length === 1 && [400, 404].includes(responses[0]?.status ?? 0)),
      holds("nothing upstream", ({ upstream }) => upstream.received.length === 0 || upstream.heads.length === 0),
      closed,
    ),
  }),
);

const h2c: readonly RawCase[] = ["/apix", "/api/../x"].map((target) => ({
  id: `E03 h2c for ${target}`,
  bytes: handshake(["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"], {
    target,
  }),
  expect: both(
    holds("refused", ({ responses }) => responses.length === 1 && [400, 404].includes(responses[0]?.status ?? 0)),
    holds("nothing upstream", ({ heads }) => heads.length === 0),
  ),
}));

export const mounts: readonly RawCase[] = [
  ...below,
  ...spelledOtherwise,
  twoSlashes,
  ...elsewhere,
  ...climbing,
  ...refused,
  ...upgrades,
  ...h2c,
];
