import { copyFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { runProgram } from "../../../core/test/support/client-programs.ts";
import { hasProgram } from "../../../core/test/support/server-programs.ts";
import { makeFolder, serve } from "../support/cli.ts";
import { anyPort, poolOf } from "../support/configs.ts";
import { startUpstream } from "../support/http.ts";

const certs = path.join(import.meta.dirname, "../support/certs");
const requests = 400;

test.skipIf(!hasProgram("h2load"))(
  "a hundred reloads with renewed certificates under h2load fail no request, over HTTP/2 and HTTP/1.1",
  async () => {
    const upstream = await startUpstream((_req, res) => res.end("hello"));
    const folder = makeFolder();
    const use = (name: string) => {
      for (const ending of ["crt", "key"])
        copyFileSync(`${certs}/${name}.${ending}`, path.join(folder, `site.${ending}`));
    };
    use("localhost");
    const tls = `[server.tls]\ncert = "${folder}/site.crt"\nkey = "${folder}/site.key"\n`;
    const quiet = '[accessLog]\nformat = "none"\n';
    const { url, kill, stderr, ended } = await serve(anyPort + quiet + tls + poolOf(upstream.url));

    let reloading = true;
    const runs = { h2: 0, http1: 0 };
    /** One run after another: each opens new connections. */
    const load = async (kind: keyof typeof runs, ...flags: readonly string[]) => {
      while (reloading || runs[kind] < 2) {
        const { stdout } = await runProgram("h2load", ["-n", String(requests), "-c", "4", "-m", "8", ...flags, url]);
        expect(String(stdout)).toContain(`${requests} succeeded, 0 failed, 0 errored, 0 timeout`);
        expect(String(stdout)).toContain(`${requests} 2xx,`);
        runs[kind]++;
      }
    };
    const loads = Promise.all([load("h2"), load("http1", "--h1")]);
    for (let n = 1; n <= 100; n++) {
      use(n % 2 === 0 ? "localhost" : "renewed");
      kill("SIGHUP");
      await stderr.manyRecords(n, ({ changes }) => changes !== undefined);
    }
    reloading = false;
    await loads;
    expect(stderr.records.filter(({ level }) => level === "error" || level === "warn")).toEqual([]);
    kill("SIGTERM");
    expect(await ended).toEqual({ code: 0, signal: null });
  },
);
