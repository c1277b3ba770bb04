import { writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { runProgram, serveClients, temporaryFolder } from "../support/client-programs.ts";
import { hasProgram } from "../support/server-programs.ts";

const kinds = [
  ["HTTP/1.1", "http", ["--h1"]],
  // With prior knowledge.
  ["HTTP/2.0", "http", []],
  ["HTTP/1.1", "https", ["--h1"]],
  ["HTTP/2.0", "https", []],
] as const;

describe.skipIf(!hasProgram("h2load")).each(kinds)("h2load with %s over %s", (protocol, scheme, flags) => {
  test("no request fails", async () => {
    const { plain, secure } = await serveClients();
    const { url, requests } = scheme === "https" ? secure : plain;
    const body = path.join(temporaryFolder(), "body");
    writeFileSync(body, "x".repeat(1_000));
    const load = async (count: number, args: readonly string[]) => {
      const { stdout, stderr } = await runProgram("h2load", [
        "-n",
        String(count),
        "-c",
        "8",
        "-m",
        "16",
        ...flags,
        ...args,
      ]);
      const text = `${stdout}${stderr}`;
      expect(text).toContain(
        `${count} total, ${count} started, ${count} done, ${count} succeeded, 0 failed, 0 errored, 0 timeout`,
      );
      expect(text).toContain(`${count} 2xx, 0 3xx, 0 4xx, 0 5xx`);
    };
    await load(800, [`${url}/`]);
    await load(300, ["-d", body, `${url}/hash`]);
    await load(8, [`${url}/large`]);
    expect(new Set(requests.map((request) => `${request.protocol} ${request.status} ${request.error}`))).toEqual(
      new Set([`${protocol} 200 undefined`]),
    );
  });
});
