/**
 * The declarations of names that a code block may use without declaring them: the page has just shown them, or they stand
 * for the reader's own code. By name.
 */
const everywhere: Readonly<Record<string, string>> = {
  http: `import http from "node:http";`,
  undici: `import * as undici from "undici";`,
  // @types/node lacks `httpAllowHalfOpen`.
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
  // Set by authentication in front of the proxy.
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

/** Returns the declarations to append to a block, for the names that it uses but does not declare. */
export function declarationsFor(text: string, page: string): string {
  const names = page.includes("fastify") ? inFastify : inExpress;
  const code = text.replace(/(?<=^|\s)\/\/.*$/gm, "");
  const missing = Object.keys(names).filter((name) => {
    const used = new RegExp(`(?<![\\w."'/@-])${name}(?=[.(,\\s)}])(?!["'])`).test(code);
    const own = new RegExp(`(?:\\bimport\\b[^;]*|\\b(?:const|let|function)\\s+(?:[{[][^=]*)?)\\b${name}\\b`).test(code);
    return used && !own;
  });
  return missing.map((name) => names[name]).join("\n");
}
