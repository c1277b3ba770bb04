import { expect, test } from "vitest";
import { type AdminOptions, createAdmin, RestartRefused } from "../../admin/src/index.ts";
import { groupOf } from "../../admin/test/support/group-target.ts";
import { runCli } from "./support/cli.ts";
import { startUpstream } from "./support/http.ts";

const upstreams = ["a", "b"].map((id) => ({ id, url: `http://127.0.0.1:1/${id}` }));

/** The admin API of a group, and the commands that use it. */
async function adminOf(size: number, options: AdminOptions = {}) {
  const group = groupOf({ pools: { app: { balance: "round-robin", upstreams } } }, size);
  const { url } = await startUpstream(createAdmin(group.target, options).handler);
  return { ...group, run: (...args: string[]) => runCli([...args, "--admin", url]) };
}

test("status shows the workers, and in how many an upstream is ejected; explain shows how workers differ", async () => {
  const { run, workers } = await adminOf(3);
  const explain = () => run("explain", "/");
  const alike = (await explain()).stdout;
  expect(alike).toMatch(/\n\nall 3 workers decide so; the numbers are those of worker 1\n$/);

  const pool = workers[1]?.pools.get("app");
  const a = pool?.get("a");
  if (a === undefined) throw new Error("no upstream");
  for (let count = 0; count < 5; count++) pool?.begin(a).settle("reset");
  const [status, explained] = await Promise.all([run("status"), explain()]);
  expect(status).toMatchObject({ code: 0, stderr: "" });
  expect(status.stdout).toMatch(/^app\/a +ejected .* 1 of 3 workers/m);
  expect(status.stdout).toMatch(/^app\/b +unchecked /m);
  expect(status.stdout).toMatch(/\n\nWORKER +PID +UP +CONNECTIONS +LOOP DELAY P99 +HEAP +MEMORY +RESTARTS\n/);
  expect(status.stdout).toMatch(/^2 +1002 +\d+d +20 +2\.5 ms +20 MB +90 MB +3 \(2 killed, 1 stalled\)$/m);
  expect(status.stdout).toMatch(/^3 +1003 .* 0$/m);

  const [usual = "", differences = ""] = explained.stdout.split("\nworkers 1 and 3 decide so");
  expect(usual).toContain("pool app, round-robin: 2 upstreams may be picked");
  expect(differences).toMatch(/^; the numbers are those of worker 1\n\nworker 2 decides otherwise:\n/);
  expect(differences).toContain("\n  pool app: 1 upstream may be picked\n  a  not now  it is ejected");
  expect(differences).not.toContain("\n  b ");
});

test("restart prints the new process, or why nothing has changed", async () => {
  const results: Error[] = [];
  const onRestart = async () => {
    const error = results.shift();
    if (error !== undefined) throw error;
    return { pid: 4_321 };
  };
  const { run } = await adminOf(1, { onRestart });
  expect(await run("restart")).toEqual({
    code: 0,
    stdout: "restarted: the new process has pid 4321\n",
    stderr: "",
  });
  results.push(new RestartRefused("a restart is in progress"));
  expect(await run("restart")).toEqual({ code: 1, stdout: "", stderr: "evenkeel: a restart is in progress\n" });
  results.push(new Error("the new process has ended with code 2"));
  expect((await run("restart")).stderr).toBe("evenkeel: the new process has ended with code 2\n");
});
