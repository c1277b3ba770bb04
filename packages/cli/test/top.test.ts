import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { expect, inject, onTestFinished, test } from "vitest";
import { Lines, runCli, startCli } from "./support/cli.ts";
import { startUpstream } from "./support/http.ts";
import { troubled } from "./support/overviews.ts";

/** An admin API that can fail. */
async function startAdmin() {
  const state = { error: undefined as { status: number; code: string } | undefined, calls: 0 };
  const { url } = await startUpstream((req, res) => {
    if (req.url !== "/api/overview") return void res.writeHead(404).end("{}");
    state.calls++;
    const { error } = state;
    if (error === undefined) return void res.end(JSON.stringify(troubled));
    res.writeHead(error.status).end(JSON.stringify({ error: { code: error.code, message: "out of order" } }));
  });
  return { url, state };
}

// Other systems have another `script`.
test.skipIf(process.platform !== "linux")(
  "top draws in a terminal, reconnects, and restores the terminal",
  async () => {
    const { url, state } = await startAdmin();
    const top = `"$NODE" "$BIN" top --admin ${url}`;
    const child = spawn(
      "script",
      ["-qefc", `tty; stty rows 14 cols 100; ${top}; echo "code $?"; stty -a`, "/dev/null"],
      {
        env: {
          ...process.env,
          TERM: "xterm-256color",
          NODE: process.execPath,
          BIN: inject("bundledCommand"),
          NODE_OPTIONS: "",
        },
        stdio: ["pipe", "pipe", "inherit"],
      },
    );
    const ended = once(child, "close");
    onTestFinished(async () => {
      child.kill("SIGKILL");
      await ended;
    });
    const output = new Lines(child.stdout as Readable);
    /** Waits until the last complete frame passes a test. */
    const shows = (test: (frame: string) => boolean) =>
      output.until(() => {
        const frame = output.text.split("\x1b[?2026h").findLast((part) => part.includes("\x1b[?2026l"));
        return frame !== undefined && test(frame) ? true : undefined;
      });

    await shows((frame) => frame.includes("sort: status") && frame.includes("web/web-2"));
    expect(output.text).toContain("\x1b[?1049h");
    child.stdin.write("s");
    await shows((frame) => frame.includes("sort: rate"));
    const terminal = /\/dev\/\S+/.exec(output.text)?.[0] ?? "";
    spawn("stty", ["-F", terminal, "rows", "20", "cols", "30"]);
    await shows((frame) => frame.includes("p pool:…"));

    state.error = { status: 503, code: "closed" };
    await shows((frame) => frame.includes("NO DATA for"));
    state.error = undefined;
    await shows((frame) => !frame.includes("NO DATA for"));

    child.stdin.write("\x03");
    await ended;
    const after = output.text.slice(output.text.lastIndexOf("\x1b[?1049l"));
    expect(after).toContain("code 0");
    expect(after).toMatch(/ icanon /);
    expect(after).toMatch(/ echo /);
    expect(output.text).toContain("\x1b[?25h");
  },
  20_000,
);

test("without a terminal, top prints lines of JSON, or one state", async () => {
  const { url, state } = await startAdmin();
  const [refused, table, json, unknown] = await Promise.all([
    runCli(["top", "--admin", url]),
    runCli(["top", "--admin", url, "--once", "--pool", "api", "--sort", "p99"]),
    runCli(["top", "--admin", url, "--once", "--json"]),
    runCli(["top", "--admin", url, "--once", "--pool", "apo"]),
  ]);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(/^evenkeel: top needs a terminal; use --once .* or --json .*\n$/);
  expect(table).toMatchObject({ code: 0, stderr: "" });
  expect(table.stdout).toMatch(/^api\/a +ejected /m);
  expect(table.stdout).not.toMatch(/^web\//m);
  expect(table.stdout).not.toContain("\x1b");
  expect(JSON.parse(json.stdout)).toEqual(troubled);
  expect(unknown).toEqual({
    code: 1,
    stdout: "",
    stderr: 'evenkeel: there is no pool "apo"; the pools are web, api\n',
  });

  const stream = startCli(["top", "--admin", url, "--json"]);
  await stream.stdout.manyRecords(1);
  state.error = { status: 503, code: "closed" };
  const failure = await stream.stdout.record(({ error }) => error !== undefined);
  expect(failure).toEqual({ error: { code: "closed", message: "out of order" } });
  state.error = { status: 401, code: "unauthorized" };
  expect(await stream.ended).toEqual({ code: 1, signal: null });
  expect(stream.stdout.records.at(-1)).toEqual({
    error: { code: "unauthorized", message: "out of order (see --token)" },
  });
  expect(stream.stderr.text).toBe("");
}, 20_000);

test("a state that can never be had ends top at once", async () => {
  const { url, state } = await startAdmin();
  state.error = { status: 404, code: "not_found" };
  const [old, order, gone] = await Promise.all([
    runCli(["top", "--admin", url, "--json"]),
    runCli(["top", "--admin", url, "--sort", "size"]),
    runCli(["top", "--admin", "127.0.0.1:1", "--json"]),
  ]);
  expect(old.code).toBe(1);
  expect(JSON.parse(old.stdout)).toMatchObject({
    error: { code: "not_found", message: expect.stringContaining("older") },
  });
  expect(order).toMatchObject({ code: 1, stdout: "" });
  expect(order.stderr).toContain('found "size"');
  expect(gone.code).toBe(1);
  expect(JSON.parse(gone.stdout)).toMatchObject({ error: { code: "unreachable" } });
});
