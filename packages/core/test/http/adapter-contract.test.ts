import http from "node:http";
import { onTestFinished } from "vitest";
import { createProxy, type ProxyOptions } from "../../src/index.ts";
import { adapterContract, closeTimeout, type Mount } from "../support/adapter-contract.ts";
import { closeServer, listen } from "../support/adapter-lab.ts";

/** The least that an adapter has to do, by hand: find the mount, take its path off, and tell the proxy. */
adapterContract({
  name: "node:http",
  readsFiles: false,
  async start(mounts) {
    const proxies = mounts.map(({ options }) => createProxy(options as ProxyOptions));
    const server = http.createServer((req, res) => {
      const next = () => void res.writeHead(404).end("the app's own");
      const found = findMount(mounts, req.url ?? "");
      if (found === undefined) return next();
      const { url } = req;
      req.url = found.rest;
      proxies[found.index]?.forward(req, res, { ...found.mount, next });
      req.url = url;
    });
    server.on("upgrade", (req, socket, head) => {
      const found = findMount(mounts, req.url ?? "");
      if (found === undefined) return void socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n");
      const { url } = req;
      req.url = found.rest;
      proxies[found.index]?.forwardUpgrade(req, socket, head, found.mount);
      req.url = url;
    });
    const port = await listen(server);
    const close = async () => {
      const drained = proxies.map((proxy) => proxy.close({ timeout: closeTimeout }));
      await Promise.all([closeServer(server), ...drained]);
    };
    onTestFinished(close);
    return { port, proxies, close };
  },
});

function findMount(mounts: readonly Mount[], url: string) {
  const index = mounts.findIndex(
    ({ prefix }) => url.startsWith(prefix) && /^(?:[/?]|$)/.test(url.slice(prefix.length)),
  );
  const mountPath = mounts[index]?.prefix;
  if (mountPath === undefined) return undefined;
  const rest = url.slice(mountPath.length);
  const slashAdded = !rest.startsWith("/");
  return { index, mount: { mountPath, slashAdded }, rest: slashAdded ? `/${rest}` : rest };
}
