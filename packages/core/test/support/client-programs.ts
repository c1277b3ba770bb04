import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { onTestFinished } from "vitest";
import { cert, key } from "./certificates.ts";
import { type ServedTestProxy, serve } from "./serve.ts";
import type { ClientProgramName } from "./server-programs.ts";
import { bodyOf, startUpstream } from "./start-upstream.ts";

export interface ProgramResult {
  /** The exit code. */
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Runs a program to its end. */
export function runProgram(
  name: ClientProgramName,
  args: readonly string[],
  input: Buffer = Buffer.alloc(0),
): Promise<ProgramResult> {
  const child = spawn(name, args, { stdio: "pipe" });
  onTestFinished(() => void child.kill("SIGKILL"));
  const stdout: Buffer[] = [];
  let stderr = "";
  child.stdout.on("data", (bytes: Buffer) => stdout.push(bytes));
  child.stderr.on("data", (bytes: Buffer) => {
    stderr += bytes.toString();
  });
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout: Buffer.concat(stdout), stderr }));
  });
}

/** A new folder, gone when the test is over. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), "evenkeel-client-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Bytes that no compression shrinks and no framing resembles, always the same. */
export function largeBytes(length: number): Buffer {
  const block = Buffer.concat(Array.from({ length: 32 }, (_, index) => sha256Bytes(Buffer.from([index]))));
  return Buffer.alloc(length, block);
}

export const sha256 = (bytes: Buffer): string => sha256Bytes(bytes).toString("hex");

function sha256Bytes(bytes: Buffer): Buffer {
  return createHash("sha256").update(bytes).digest();
}

export const large: Buffer = largeBytes(3_000_000);

/** Proxies of the own server, without and with TLS, in front of one upstream with a response of each kind. */
export async function serveClients(): Promise<{ readonly plain: ServedTestProxy; readonly secure: ServedTestProxy }> {
  const respond = async (req: IncomingMessage, res: ServerResponse) => {
    const body = await bodyOf(req);
    if (req.url === "/large") return void res.end(large);
    if (req.url === "/half")
      return void res.writeHead(200, { "Content-Length": 10 }).write("half", () => res.destroy());
    if (req.url === "/empty") return void res.writeHead(204).end();
    if (req.url === "/hash") return void res.end(sha256(body));
    if (req.url === "/hints") {
      res.writeEarlyHints({ link: "</style.css>; rel=preload" });
      res.writeHead(200, { Trailer: "X-Sum" }).write("with ");
      res.addTrailers({ "X-Sum": "12" });
      return void res.end("trailers");
    }
    res.end(`${req.method} ${req.headers["x-forwarded-proto"]}`);
  };
  const upstream = await startUpstream("a", (req, res) => void respond(req, res));
  const options = { upstreams: [upstream.url], retry: { attempts: 1 } };
  return { plain: await serve(options, { h2c: true }), secure: await serve(options, { tls: { cert, key } }) };
}
