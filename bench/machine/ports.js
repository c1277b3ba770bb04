import net from "node:net";

/** Finds free ports of the loopback address. */
export async function freePorts(count) {
  const servers = Array.from({ length: count }, () => net.createServer().listen(0, "127.0.0.1"));
  const ports = await Promise.all(
    servers.map((server) => new Promise((resolve) => server.once("listening", () => resolve(server.address().port)))),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** Waits until a server accepts connections, for ten seconds at most. */
export async function accepting(port) {
  const giveUp = performance.now() + 10_000;
  while (!(await accepts(port))) {
    if (performance.now() > giveUp) throw new Error(`nobody listens on port ${port}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function accepts(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1");
    socket.on("connect", () => resolve(true)).on("error", () => resolve(false));
    socket.on("connect", () => socket.destroy());
  });
}
