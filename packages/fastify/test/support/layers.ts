import Fastify from "fastify";
import { inProcess, type Layer } from "../../../core/test/support/layers.ts";
import evenkeel, { type EvenkeelOptions } from "../../src/index.ts";

/** The plugin in an app, under a prefix if given. Requests of the test itself bypass it. */
function inApp(prefix: string): Layer {
  return inProcess(
    { tellsRefusals: false, unrouted: "the app's", badTargets: "the app's", setsHeaders: false },
    async (proxy) => {
      const app = Fastify({ clientErrorHandler: proxy.clientError });
      app.setNotFoundHandler((_request, reply) => reply.code(404).send("the app's own"));
      await app.register(evenkeel, { proxy, prefix } as EvenkeelOptions);
      if (prefix !== "") {
        for (const url of ["/victim/*", "/sentinel/*"]) {
          app.get(url, ({ raw }, reply) => {
            reply.hijack();
            proxy.handler(raw, reply.raw);
          });
        }
      }
      await app.listen({ port: 0, host: "127.0.0.1" });
      return { server: app.server, close: () => app.close() };
    },
  );
}

export const fastifyLayer: Layer = inApp("");
export const mountedFastifyLayer: Layer = inApp("/api");
