import http from "node:http";
import express, { type Express } from "express";
import express4 from "express4";
import { onTestFinished } from "vitest";
import { listen } from "../../../core/test/support/adapter-lab.ts";
import { type EvenkeelMiddleware, type EvenkeelOptions, evenkeel } from "../../src/index.ts";

/** The supported versions of Express by name. */
export const versions: readonly [name: string, version: typeof express][] = [
  ["Express 5", express],
  ["Express 4", express4],
];

/** Creates a middleware that is closed after the test. */
export function create(options: EvenkeelOptions): EvenkeelMiddleware {
  const middleware = evenkeel(options);
  onTestFinished(() => middleware.close({ timeout: "0ms" }));
  return middleware;
}

/** Serves an app until the end of the test, and returns the port. */
export async function serve(app: Express): Promise<number> {
  return listen(http.createServer(app));
}
