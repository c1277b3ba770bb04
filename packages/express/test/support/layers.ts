import http from "node:http";
import express, { type Express } from "express";
import express4 from "express4";
import { inProcess, type Layer, listenAnywhere } from "../../../core/test/support/layers.ts";
import { isTagged } from "../../../core/test/support/recording-upstream.ts";
import { evenkeel } from "../../src/index.ts";

/** The middleware in an app, at a mount path if given. Requests of the test itself bypass it. */
function inApp(createApp: () => Express, mountPath: string): Layer {
  return inProcess(
    { tellsRefusals: false, unrouted: "the app's", badTargets: "the proxy's", setsHeaders: true },
    async (proxy) => {
      const app = createApp();
      const server = http.createServer(app);
      const middleware = evenkeel({ proxy, prefix: mountPath });
      if (mountPath === "") app.use(middleware);
      else {
        app.use(mountPath, middleware);
        app.use((req, res, next) => (isTagged(req.url) ? proxy.handler(req, res) : next()));
      }
      app.use((_req, res) => void res.status(404).end("the app's own"));
      server.on("upgrade", middleware.upgrade).on("clientError", middleware.clientError);
      return { server: await listenAnywhere(server) };
    },
  );
}

export const expressLayer: Layer = inApp(express, "");
export const express4Layer: Layer = inApp(express4, "");
export const mountedExpressLayer: Layer = inApp(express, "/api");
export const mountedExpress4Layer: Layer = inApp(express4, "/api");
