import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";
import { parseConfig } from "@evenkeel/config";
import type { RequestEvent } from "evenkeel";
import { pino } from "pino";
import type { Layer } from "../../../core/test/support/layers.ts";
import { leftovers } from "../../../core/test/support/start-proxy.ts";
import { StandaloneServer } from "../../src/primary/standalone-server.ts";
import { anyPort, nowhere, poolOf } from "./configs.ts";

const config = parseConfig(`${anyPort}[accessLog]\nformat = "none"\n${poolOf(nowhere)}`, { file: "evenkeel.toml" });

/** The server of `evenkeel run` in this process. Each request event is a line of its access log. */
export const cliLayer: Layer = async (options) => {
  const logger = pino({ enabled: false });
  const server = await StandaloneServer.start(() => ({ ...config, options }), logger);
  const { proxy } = server;
  const port = Number(new URL(server.listen[0] as string).port);
  const sockets = new Set<Socket>();
  const onSocket = (message: unknown) => {
    const { socket } = message as { socket: Socket };
    if (socket.localPort !== port) return;
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  };
  subscribe("net.server.socket", onSocket);
  const requests: RequestEvent[] = [];
  proxy.on("request", (event) => void requests.push(event));
  return {
    traits: { tellsRefusals: true, unrouted: "the proxy's", badTargets: "the proxy's", setsHeaders: false },
    port,
    requests,
    accepted: undefined,
    leftovers: () => [...leftovers(proxy), ...(sockets.size > 0 ? [`${sockets.size} client sockets`] : [])],
    close: async () => {
      unsubscribe("net.server.socket", onSocket);
      server.stopNow();
      await server.stop();
    },
  };
};
