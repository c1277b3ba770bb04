/**
 * What a block of code on a page may use without saying where it comes from: what the page has just shown, or what is
 * clearly the reader's own. Keyed by its name; an import or a declaration that makes it.
 */
const everywhere: Readonly<Record<string, string>> = {
  http: `import http from "node:http";`,
  undici: `import * as undici from "undici";`,
  // With what its documentation, and so its types, leave out.
  server: `declare const server: import("node:http").Server & { httpAllowHalfOpen: boolean };`,
  proxy: `declare const proxy: import("evenkeel").Proxy;`,
  options: `declare const options: import("evenkeel").ProxyOptions;`,
  createProxy: `import { createProxy } from "evenkeel";`,
  users: `declare const users: import("evenkeel").Outbound;`,
  allowed: "declare function allowed(authorization: string | undefined): boolean;",
  isAdministrator: "declare function isAdministrator(headers: unknown): boolean;",
  isKnown: "declare function isKnown(who: unknown): Promise<boolean>;",
};

const inExpress: Readonly<Record<string, string>> = {
  ...everywhere,
  // What an authentication in front of the proxy puts there.
  req: "declare global { namespace Express { interface Request { user: { id: string } } } }",
  app: `declare const app: import("express").Express;`,
  api: `declare const api: import("@evenkeel/express").EvenkeelMiddleware;`,
  evenkeel: `import { evenkeel } from "@evenkeel/express";`,
};

const inFastify: Readonly<Record<string, string>> = {
  ...everywhere,
  request: `declare module "fastify" { interface FastifyRequest { user: { id: string } } }`,
  scope: `declare const scope: import("fastify").FastifyInstance;`,
  app: `declare const app: import("fastify").FastifyInstance;`,
  evenkeel: `import evenkeel from "@evenkeel/fastify";`,
};

/** What has to be put behind a block to make a module of it, where it says nothing itself of a name that it uses. */
export function givenTo(text: string, page: string): string {
  const names = page.includes("fastify") ? inFastify : inExpress;
  const code = text.replace(/(?<=^|\s)\/\/.*$/gm, "");
  const missing = Object.keys(names).filter((name) => {
    const used = new RegExp(`(?<![\\w."'/@-])${name}(?=[.(,\\s)}])(?!["'])`).test(code);
    const own = new RegExp(`(?:\\bimport\\b[^;]*|\\b(?:const|let|function)\\s+(?:[{[][^=]*)?)\\b${name}\\b`).test(code);
    return used && !own;
  });
  return missing.map((name) => names[name]).join("\n");
}
