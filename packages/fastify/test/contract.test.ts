import type { AddressInfo } from "node:net";
import type { Proxy as ReverseProxy } from "evenkeel";
import Fastify from "fastify";
import { onTestFinished } from "vitest";
import { adapterContract, closeTimeout } from "../../core/test/support/adapter-contract.ts";
import evenkeel, { type EvenkeelOptions } from "../src/index.ts";

adapterContract({
  name: "Fastify",
  readsFiles: true,
  async start(mounts) {
    const app = Fastify();
    app.setNotFoundHandler((_request, reply) => reply.code(404).send("the app's own"));
    const proxies: ReverseProxy[] = [];
    for (const { prefix, options } of mounts) {
      await app.register(async (scope) => {
        await scope.register(evenkeel, { ...options, prefix, closeTimeout } as EvenkeelOptions);
        proxies.push(scope.evenkeel);
      });
    }
    onTestFinished(() => app.close());
    await app.listen({ port: 0, host: "127.0.0.1" });
    return { port: (app.server.address() as AddressInfo).port, proxies, close: () => app.close() };
  },
});
