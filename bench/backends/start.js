import path from "node:path";
import { end, nextMessage, startScript } from "../machine/children.js";
import { has } from "../machine/commands.js";
import { startNginxBackend } from "./nginx.js";

/** The ports of the large pool. */
const many = 50;

/**
 * Starts the backends of the proxies. Returns their ports: `web` responds with bodies of several sizes, `many` is the same on
 * fifty ports, `app` accepts uploads and WebSockets.
 */
export async function startBackends() {
  const startWeb = has("nginx") ? startNginxBackend : startNodeBackend;
  const [one, other, app] = await Promise.all([startWeb(many / 2), startWeb(many / 2), startNodeBackend(2)]);
  return {
    name: has("nginx") ? "two processes of nginx" : "two processes of node:http, since nginx is not installed",
    ports: { web: [one.ports[0], other.ports[0]], many: [...one.ports, ...other.ports], app: app.ports },
    stop: () => Promise.all([one, other, app].map(({ stop }) => stop())),
  };
}

export async function startNodeBackend(count) {
  const child = startScript("others", path.join(import.meta.dirname, "node-backend.js"), [String(count)]);
  const { ports } = await nextMessage(child);
  return { ports, stop: () => end(child) };
}
