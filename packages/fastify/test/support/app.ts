import type { AddressInfo } from "node:net";
import Fastify, { type FastifyInstance, type FastifyServerOptions } from "fastify";
import { onTestFinished } from "vitest";

export { refusal } from "../../../core/test/support/web-socket-refusal.ts";

/** Creates an app that is closed after the test. */
export function createApp(options: FastifyServerOptions = {}): FastifyInstance {
  const app = Fastify(options) as FastifyInstance;
  onTestFinished(() => app.close());
  return app;
}

/** Listens, and returns the port. */
export async function serve(app: FastifyInstance): Promise<number> {
  await app.listen({ port: 0, host: "127.0.0.1" });
  return (app.server.address() as AddressInfo).port;
}

/** For apps whose tunnels would delay the close. */
export const closeTimeout = "0ms";
