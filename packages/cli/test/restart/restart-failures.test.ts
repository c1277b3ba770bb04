import { fork } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import path from "node:path";
import { text } from "node:stream/consumers";
import { expect, inject, onTestFinished, test } from "vitest";
import { makeFolder, writeFile } from "../support/cli.ts";
import { anyPort, nowhere, poolOf, withAdmin } from "../support/configs.ts";
import { keepAlive, sendRequest, startUpstream } from "../support/http.ts";
import { startLoad } from "../support/load.ts";
import { postRestart, serveRestartable } from "../support/restart.ts";

/** Runs in each new process before the command: Node loads the file again. */
function preload(): { readonly execArgv: readonly string[]; run(script: string): void } {
  const file = path.join(makeFolder(), "preload.mjs");
  const run = (script: string) => writeFileSync(file, script);
  run("");
  return { execArgv: ["--import", file], run };
}

const hang = "await new Promise(() => setInterval(() => {}, 1_000));";
/** Ends the process when it is about to open the admin API, which is the last step that may fail. */
const dieAtTheAdminApi = `
  const { Server } = await import("node:http");
  Server.prototype.listen = () => process.kill(process.pid, "SIGKILL");`;
/** Ends the process when it is about to say that it serves: it has the sockets, and accepts connections. */
const dieAtTheLastMoment = `
  const send = process.send;
  process.send = function (message, ...rest) {
    if (message.type === "ready" && process.argv.includes("run")) process.kill(process.pid, "SIGKILL");
    return send.call(this, message, ...rest);
  };`;

test.each([1, 2])(
  "a new process that cannot serve changes nothing, and the reason is reported (%i workers)",
  async (workers) => {
    const upstream = await startUpstream((_req, res) => res.end("hello"));
    const taken = createServer().listen(0, "127.0.0.1");
    onTestFinished(() => void taken.close());
    await once(taken, "listening");
    const { execArgv, run } = preload();
    const toml = `${anyPort}workers = ${workers}\n${withAdmin}${poolOf(upstream.url)}`;
    const served = await serveRestartable(toml, { execArgv });
    const { url, admin, config, stderr, stdout } = served;
    const { port } = taken.address() as AddressInfo;
    const agent = keepAlive(4);
    const load = startLoad(4, () => sendRequest(url, { agent }));

    const withTaken = toml.replace('"127.0.0.1:0"', `["127.0.0.1:0", "127.0.0.1:${port}"]`);
    for (const [script, file, reason] of [
      ["", "a mistake", /config\.toml:1:/],
      ["", withTaken, /the port is taken/],
      ["process.exit(7)", toml, /^it ended with code 7$/],
      ['throw new Error("broken code")', toml, /^it ended with code 1$/],
      [dieAtTheLastMoment, toml, /^it ended by SIGKILL$/],
    ] as const) {
      run(script);
      writeFileSync(config, file);
      const { status, text: body } = await postRestart(admin);
      const { code, message } = JSON.parse(body).error;
      expect({ status, code }).toEqual({ status: 500, code: "restart_failed" });
      expect(message).toMatch(reason);
      expect((await sendRequest(admin, { path: "/readyz" })).status).toBe(200);
    }
    expect(stderr.records.filter(({ level }) => level === "error")).toHaveLength(5);
    const { responses, errors } = await load.stop();
    expect(errors).toEqual([]);
    expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([200]));

    // And the next restart succeeds.
    run("");
    await served.restart("admin");
    expect((await sendRequest(url)).text).toBe("hello");
    served.signal("SIGTERM");
    await served.ended;
    expect(stdout.lines).toHaveLength(responses.length + 1);
  },
);

test("during a restart a second one is refused, a reload waits, and a stop ends it", async () => {
  const upstream = await startUpstream((_req, res) => res.end("hello"));
  const { execArgv, run } = preload();
  const served = await serveRestartable(anyPort + withAdmin + poolOf(upstream.url), { execArgv });
  const { admin, stderr } = served;
  const successors = () =>
    stderr.records.filter(({ msg }) => msg?.startsWith("restarting")).map(({ successor }) => successor);
  run(hang);
  const first = postRestart(admin);
  const pid = await stderr.until(() => successors()[0] as number | undefined);
  const second = await postRestart(admin);
  expect(second).toMatchObject({ status: 409, text: expect.stringContaining(`process ${pid} starts`) });
  served.signal("SIGHUP");
  served.signal("SIGUSR2");
  await stderr.record(({ msg }) => msg?.startsWith("not restarted") === true && msg.includes("in progress"));
  expect(stderr.records.some(({ changes }) => changes !== undefined)).toBe(false);
  process.kill(pid, "SIGKILL");
  expect((await first).text).toContain("it ended by SIGKILL");
  await stderr.record(({ changes }) => changes !== undefined);

  served.signal("SIGUSR2");
  await stderr.until(() => successors()[1] as number | undefined);
  served.signal("SIGTERM");
  // The output that both share is closed, so the new process has ended, too.
  expect(await served.ended).toEqual({ code: 0, signal: null });
});

test("a reload during a restart is made by the new process, which watches the configuration", async () => {
  const [a, b] = await Promise.all(["a", "b"].map((name) => startUpstream((_req, res) => res.end(name))));
  const { execArgv, run } = preload();
  const toml = anyPort + withAdmin;
  const served = await serveRestartable(toml + poolOf(String(a?.url)), { execArgv, args: ["--watch"] });
  const { url, config, stderr } = served;
  // After the new process has loaded the configuration.
  const waits = `
    const { existsSync } = await import("node:fs");
    const send = process.send;
    process.send = function (message, ...rest) {
      if (message.type !== "sockets") return send.call(this, message, ...rest);
      process.stderr.write('{"loaded":true}\\n');
      const timer = setInterval(() => {
        if (!existsSync(${JSON.stringify(`${config}.go`)})) return;
        clearInterval(timer);
        send.call(this, message, ...rest);
      }, 5);
      return true;
    };`;
  run(waits);
  const restarted = served.restart("signal");
  await stderr.record(({ loaded }) => loaded === true);
  writeFileSync(config, toml + poolOf(String(b?.url)));
  served.signal("SIGHUP");
  writeFileSync(`${config}.go`, "");
  await restarted;
  await stderr.record(({ changes }) => changes !== undefined);
  expect((await sendRequest(url)).text).toBe("b");
  // Not the content with which the watch has begun.
  writeFileSync(config, `${toml}${poolOf(String(a?.url))}# again\n`);
  await stderr.until(() => stderr.records.filter(({ changes }) => changes !== undefined).length >= 2 || undefined);
  expect((await sendRequest(url)).text).toBe("a");
});

test("the path of a Unix socket stays with the old process until the new one serves", async () => {
  const upstream = await startUpstream((_req, res) => res.end("hello"));
  const { execArgv, run } = preload();
  const socketPath = path.join(makeFolder(), "a.sock");
  const toml = `[server]\nlisten = "unix:${socketPath}"\n${withAdmin}${poolOf(upstream.url)}`;
  const served = await serveRestartable(toml, { execArgv });
  run(dieAtTheAdminApi);
  const { status } = await postRestart(served.admin);
  expect(status).toBe(500);
  expect((await sendRequest("http://a", { socketPath })).text).toBe("hello");
});

test("if the old process is killed meanwhile, the new one serves alone", async () => {
  const upstream = await startUpstream((_req, res) => res.end("hello"));
  const { execArgv, run } = preload();
  const folder = makeFolder();
  const socketPath = path.join(folder, "a.sock");
  const served = await serveRestartable(`[server]\nlisten = "unix:${socketPath}"\n${poolOf(upstream.url)}`, {
    execArgv,
  });
  run(`const { existsSync } = await import("node:fs");
    while (!existsSync("${folder}/go")) await new Promise((resolve) => setTimeout(resolve, 10));`);
  served.signal("SIGUSR2");
  await served.stderr.record(({ successor }) => successor !== undefined);
  served.kill("SIGKILL");
  await served.firstEnded;
  writeFileSync(path.join(folder, "go"), "");
  await served.stderr.manyRecords(2, ({ listen }) => listen !== undefined);
  expect((await sendRequest("http://a", { socketPath })).text).toBe("hello");
  served.signal("SIGTERM");
  await served.ended;
});

test("a process refuses to replace one of another version of the protocol", async () => {
  const config = writeFile("config.toml", anyPort + poolOf(nowhere));
  const child = fork(inject("bundledCommand"), ["run", config], {
    env: { ...process.env, EVENKEEL_RESTART_PROTOCOL: "99" },
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const output = text(child.stderr as NodeJS.ReadableStream);
  const [code] = (await once(child, "exit")) as [number];
  expect(code).toBe(1);
  expect(await output).toMatch(
    /^evenkeel: the other process uses version 99 of the restart protocol, this one version 1/,
  );
});
