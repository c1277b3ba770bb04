import http from "node:http";
import express, { type Express } from "express";
import express4 from "express4";
import { onTestFinished } from "vitest";
import { listen } from "../../../core/test/support/adapter-lab.ts";
import { type EvenkeelMiddleware, type EvenkeelOptions, evenkeel } from "../../src/index.ts";

/** Both versions that are supported, by name. */
export const versions: readonly [name: string, version: typeof express][] = [
  ["Express 5", express],
  ["Express 4", express4],
];

/** A middleware that ends with the test. */
export function create(options: EvenkeelOptions): EvenkeelMiddleware {
  const middleware = evenkeel(options);
  onTestFinished(() => middleware.close({ timeout: "0ms" }));
  return middleware;
}

/** The port on which an app is served until the test is over. */
export async function serve(app: Express): Promise<number> {
  return listen(http.createServer(app));
}
