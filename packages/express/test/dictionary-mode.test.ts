import { EventEmitter } from "node:events";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import { setFlagsFromString } from "node:v8";
import express, { type Express } from "express";
import { expect, test } from "vitest";
import { askSeen, listen, startUpstream } from "../../core/test/support/adapter-lab.ts";
import { create } from "./support/app.ts";

setFlagsFromString("--allow-natives-syntax");
const hasShape = new Function("object", "return %HasFastProperties(object)") as (object: object) => boolean;

const losesShapes = Number.parseInt(process.versions.v8, 10) < 13;

/** The states of a request and its response after the proxy has responded. */
async function afterwards(
  prepare: (req: IncomingMessage, res: ServerResponse) => void = () => {},
  options: (app: Express) => http.ServerOptions = () => ({}),
) {
  const app = express();
  const over = new Promise<[IncomingMessage, ServerResponse]>((resolve) => {
    app.use((req, res, next) => {
      prepare(req, res);
      res.once("close", () => resolve([req, res]));
      next();
    });
  });
  app.use(create({ upstreams: [(await startUpstream()).url] }));
  const seen = await askSeen(await listen(http.createServer(options(app), app)), { path: "/x" });
  expect(seen.url).toBe("/x");
  return over;
}

test("a request whose prototype Express has changed goes into dictionary mode, and its response", async () => {
  for (const message of await afterwards()) {
    expect(hasShape(message)).toBe(!losesShapes);
    expect(message.getMaxListeners()).toBe(EventEmitter.defaultMaxListeners);
  }
});

test("a maximum of listeners that an app has set stays", async () => {
  const messages = await afterwards((req, res) => {
    req.setMaxListeners(50);
    res.setMaxListeners(60);
  });
  expect(messages.map((message) => message.getMaxListeners())).toEqual([50, 60]);
});

test("a request that was created with the app's prototype keeps its shape, and its response", async () => {
  const messages = await afterwards(undefined, (app) => {
    class AppRequest extends http.IncomingMessage {}
    class AppResponse extends http.ServerResponse {}
    Object.setPrototypeOf(AppRequest.prototype, app.request);
    Object.setPrototypeOf(AppResponse.prototype, app.response);
    Object.assign(app, { request: AppRequest.prototype, response: AppResponse.prototype });
    return { IncomingMessage: AppRequest, ServerResponse: AppResponse } as http.ServerOptions;
  });
  expect(messages.map(hasShape)).toEqual([true, true]);
});
