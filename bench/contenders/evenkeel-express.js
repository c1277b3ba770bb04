import { createServer } from "node:http";
import { evenkeel } from "@evenkeel/express";
import express from "express";
import { observe, toOptions } from "./evenkeel-options.js";
import { listen } from "./listen.js";

export async function start(urls, { log }) {
  const app = express();
  const middleware = evenkeel(toOptions(urls));
  app.use(middleware);
  await observe(middleware.proxy, { log });
  return listen(createServer(app).on("upgrade", middleware.upgrade).on("clientError", middleware.clientError));
}
