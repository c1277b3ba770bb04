import { once } from "node:events";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type Cli, makeFolder, publishedBin, serve, startCli, whenReady, writeFile } from "./support/cli.ts";
import { anyPort, nowhere, poolOf } from "./support/configs.ts";
import { sendRequest, startUpstream } from "./support/http.ts";

const isStopping = ({ msg }: { readonly msg?: string }) => msg?.startsWith("stopping") === true;

/** What runs in the first moments of the process depends on the file that starts it. */
const published = { bin: publishedBin };

/** The address at which the inspector of a process listens, from its stderr. */
function inspectorOf({ stderr }: Cli): string | undefined {
  return /ws:\/\/([\d.:]+)\//.exec(stderr.text)?.[1];
}

test("SIGUSR1 reopens the access log and does nothing else: no inspector, no reload", async () => {
  const upstream = await startUpstream((_req, res) => res.end());
  const log = path.join(makeFolder(), "access.log");
  const served = await serve(`${anyPort}[accessLog]\npath = "${log}"\n${poolOf(upstream.url)}`, published);
  const { url, config, kill, ended, stderr } = served;
  await sendRequest(url, { path: "/before" });
  renameSync(log, `${log}.1`);
  writeFileSync(config, "a mistake that a reload would report");
  kill("SIGUSR1");
  await stderr.record(({ accessLog }) => accessLog === log);
  await sendRequest(url, { path: "/after" });
  kill("SIGTERM");
  expect(await ended).toEqual({ code: 0, signal: null });
  expect(readFileSync(`${log}.1`, "utf8")).toContain('"/before"');
  expect(readFileSync(log, "utf8")).toContain('"/after"');
  expect(inspectorOf(served)).toBeUndefined();
  expect(stderr.records.filter(({ level }) => level !== "info")).toEqual([]);
});

test("SIGUSR1 with the access log on stdout is ignored", async () => {
  const upstream = await startUpstream((_req, res) => res.end());
  const served = await serve(anyPort + poolOf(upstream.url), published);
  served.kill("SIGUSR1");
  await sendRequest(served.url);
  await served.stdout.record(({ status }) => status === 200);
  served.kill("SIGTERM");
  expect(await served.ended).toEqual({ code: 0, signal: null });
  expect(inspectorOf(served)).toBeUndefined();
});

test("an inspector that SIGUSR1 opened while Node was starting is closed again", async () => {
  const preload = 'data:text/javascript,import i from "node:inspector"; i.open(0, "127.0.0.1")';
  const config = writeFile("config.toml", anyPort + poolOf(nowhere));
  // Simulates a SIGUSR1 between the start of Node and the command's first line.
  const served = await whenReady(startCli(["run", config], { ...published, execArgv: ["--import", preload] }));
  const [host, port] = String(inspectorOf(served)).split(":");
  const socket = connect(Number(port), String(host)).on("error", () => {});
  onTestFinished(() => void socket.destroy());
  await expect(once(socket, "connect")).rejects.toMatchObject({ code: "ECONNREFUSED" });
});

test("SIGHUP while the command loads does not end it", async () => {
  // When the command's first lines have run, before its modules are loaded.
  const send = 'queueMicrotask(() => process.kill(process.pid, "SIGHUP"))';
  const preload = `data:text/javascript,process.once("newListener", (name) => name === "SIGUSR1" && ${send})`;
  const config = writeFile("config.toml", anyPort + poolOf(nowhere));
  const served = await whenReady(startCli(["run", config], { ...published, execArgv: ["--import", preload] }));
  served.kill("SIGTERM");
  expect(await served.ended).toEqual({ code: 0, signal: null });
});

test("an inspector that was requested by --inspect stays open", async () => {
  const config = writeFile("config.toml", anyPort + poolOf(nowhere));
  const served = await whenReady(startCli(["run", config], { ...published, execArgv: ["--inspect=127.0.0.1:0"] }));
  const [host, port] = String(inspectorOf(served)).split(":");
  const socket = connect(Number(port), String(host));
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
});

test("SIGQUIT lets the request in flight finish, and a second signal of another kind ends it", async () => {
  const waiting: (() => void)[] = [];
  const upstream = await startUpstream((_req, res) => {
    waiting.push(() => res.end("late but whole"));
    upstream.server.emit("waiting");
  });
  for (const patient of [true, false]) {
    const { url, kill, ended, stderr } = await serve(anyPort + poolOf(upstream.url), published);
    const response = sendRequest(url).then(
      ({ status }) => status,
      () => "cut off",
    );
    await once(upstream.server, "waiting");
    kill("SIGQUIT");
    await stderr.record(isStopping);
    if (patient) waiting.pop()?.();
    else kill("SIGINT");
    expect(patient ? [200] : [503, "cut off"]).toContain(await response);
    expect(await ended).toEqual({ code: 0, signal: null });
  }
});

test("signals that arrive before the server is ready wait for it", async () => {
  // Below every limit of open files, since the start logs a line otherwise.
  const config = writeFile("config.toml", `${anyPort}maxConnections = 50\n${poolOf(nowhere)}`);
  // The start waits until the signals have arrived: the preload sends them once the command listens for them.
  const preload = `data:text/javascript,
    process.on("newListener", (name) => {
      if (name === "SIGQUIT") for (const signal of ["SIGHUP", "SIGUSR2", "SIGTERM"]) process.kill(process.pid, signal);
    })`;
  const { ended, stderr } = startCli(["run", config], { ...published, execArgv: ["--import", preload] });
  expect(await ended).toEqual({ code: 0, signal: null });
  const messages = stderr.records.map(({ msg }) => String(msg).split(/[: ]/)[0]);
  // The stop ends the restart, which fails.
  const expected = ["ready", "reloaded", "restarting", "the", "stopping", "stopped"];
  expect(messages.toSorted()).toEqual(expected.toSorted());
});
