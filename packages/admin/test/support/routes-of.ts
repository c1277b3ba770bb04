import { resolveAccessRules } from "../../src/access/resolve-access-rules.ts";
import { createRoutes } from "../../src/create-routes.ts";
import { Sampler } from "../../src/history/sampler.ts";
import { EventStream } from "../../src/resources/event-stream.ts";
import { proxyTarget } from "../../src/target/proxy-target.ts";
import { proxySnapshot, proxyWith } from "./harness.ts";

/** Every method of every resource, with all options on. */
export function routesOf(): readonly { readonly method: string; readonly path: string }[] {
  const target = proxyTarget(proxyWith(proxySnapshot));
  const parts = {
    target,
    events: new EventStream(target),
    sampler: new Sampler(target),
    rules: resolveAccessRules({}),
  };
  return createRoutes(parts, {}).flatMap(({ segments, actions }) =>
    Object.keys(actions).map((method) => ({ method, path: `/${segments.join("/")}` })),
  );
}
