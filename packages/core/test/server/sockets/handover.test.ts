/** Listening sockets that go from one process to the next while clients connect all the time. */

import { existsSync } from "node:fs";
import { Agent, get as httpGet } from "node:http";
import { connect } from "node:net";
import path from "node:path";
import { connect as connectTls } from "node:tls";
import { expect, onTestFinished, test } from "vitest";
import { cert, key } from "../../support/certificates.ts";
import { until } from "../../support/event-loop.ts";
import { makeFolder, startJsonProcess, writeProgram } from "../../support/processes.ts";
import { startUpstream } from "../../support/start-upstream.ts";

/** SIGUSR2 starts a successor and gives it the sockets, SIGTERM ends the process. */
const program = `
  import { fork } from "node:child_process";
  const [upstream, unix, cert, key] = process.argv.slice(2);
  const proxy = createProxy({ upstreams: [upstream] });
  const servers = [
    createServer(proxy, { listen: ["127.0.0.1:0", unix] }),
    createServer(proxy, { listen: "127.0.0.1:0", tls: { cert, key } }),
  ];
  const report = (more) => console.log(JSON.stringify({ pid: process.pid, ...more }));
  const listen = async (inherited) => {
    for (const [index, server] of servers.entries()) await server.listen({ inherited: inherited(index) });
    report({ urls: servers.flatMap(({ urls }) => urls) });
  };
  // Before it reports: the test sends signals from then on.
  process.on("SIGUSR2", () => {
    const child = fork(process.argv[1], process.argv.slice(2), { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    child.on("message", async (message) => {
      if (message === "ready") {
        for (const [index, server] of servers.entries())
          for (const { address, socket } of server.listeningSockets()) child.send({ index, address }, socket);
      }
      if (message !== "listening") return;
      await Promise.all(servers.map((server) => server.stopAccepting({ handedOver: true })));
      const finished = servers.map((server) => server.finish());
      await proxy.close();
      await Promise.all(finished);
      report({ ended: true });
    });
  });
  process.on("SIGTERM", async () => {
    for (const server of servers) await server.close();
    await proxy.close();
    report({ ended: true });
  });
  if (process.send === undefined) await listen(() => () => undefined);
  else {
    const received = servers.map(() => new server.ReceivedSockets());
    let missing = servers.length;
    process.on("message", async ({ index, address }, socket) => {
      received[index].add(address, socket);
      if (--missing > 0) return;
      await listen((index) => (address) => ("socketPath" in address ? "predecessor" : received[index].take(address)));
      process.send("listening", () => process.disconnect());
    });
    process.send("ready");
  }`;

const request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

test("a handover refuses and loses no connection: TCP, TLS, Unix sockets and kept-alive connections", async () => {
  const upstream = await startUpstream("a", (_req, res) => res.end("hello"));
  const folder = makeFolder();
  const unix = path.join(folder, "proxy.sock");
  const file = writeProgram(folder, program);
  const { next } = startJsonProcess(process.execPath, [file, upstream.url, `unix:${unix}`, cert, key]);
  let { pid, urls } = (await next()) as { pid: number; urls: string[] };
  onTestFinished(() => {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended, as it should.
    }
  });
  const [tcp, , tls] = urls.map((url) => Number(/:(\d+)$/.exec(url)?.[1]));
  const outcomes = { tcp: 0, tls: 0, unix: 0, keptAlive: 0 };
  const failures: unknown[] = [];

  const opened = {
    tcp: () => connect(tcp as number, "127.0.0.1"),
    tls: () => connectTls({ port: tls as number, host: "127.0.0.1", rejectUnauthorized: false }),
    unix: () => connect(unix),
  };
  const connectOnce = (kind: keyof typeof opened) =>
    new Promise<void>((resolve) => {
      let received = "";
      const socket = opened[kind]();
      socket.on("data", (chunk: Buffer) => {
        received += chunk.toString();
      });
      socket.on("error", (error) => failures.push([kind, error.message]));
      socket.on("close", () => {
        if (/^HTTP\/1\.1 200 [^]*hello$/.test(received)) outcomes[kind]++;
        else failures.push([kind, received]);
        resolve();
      });
      socket.write(request);
    });
  const agent = new Agent({ keepAlive: true });
  const requestOnce = () =>
    new Promise<void>((resolve) => {
      httpGet({ port: tcp, host: "127.0.0.1", agent }, (response) => {
        if (response.statusCode === 200) outcomes.keptAlive++;
        else failures.push(["keptAlive", response.statusCode]);
        response.resume().on("end", resolve);
      }).on("error", (error) => {
        failures.push(["keptAlive", error.message]);
        resolve();
      });
    });
  let stopped = false;
  const repeat = async (once: () => Promise<void>) => {
    while (!stopped) await once();
  };
  const kinds = ["tcp", "tls", "unix"] as const;
  const clients = [...kinds.map((kind) => repeat(() => connectOnce(kind))), repeat(requestOnce)];

  for (let round = 0; round < 2; round++) {
    const before = { ...outcomes };
    process.kill(pid, "SIGUSR2");
    const successor = (await next()) as { pid: number; urls: string[] };
    expect(successor.urls).toEqual(urls);
    expect(await next()).toEqual({ pid, ended: true });
    pid = successor.pid;
    await until(() => Object.entries(before).every(([kind, count]) => outcomes[kind as "tcp"] > count + 2));
  }
  stopped = true;
  await Promise.all(clients);
  agent.destroy();
  expect(failures).toEqual([]);
  expect(existsSync(unix)).toBe(true);
  process.kill(pid, "SIGTERM");
  expect(await next()).toEqual({ pid, ended: true });
  expect(existsSync(unix)).toBe(false);
});
