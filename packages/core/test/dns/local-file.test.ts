import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { limits } from "../../src/config/defaults.ts";
import { LocalFile } from "../../src/dns/local-file.ts";

function lab() {
  const folder = mkdtempSync(path.join(tmpdir(), "evenkeel-dns-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const at = path.join(folder, "hosts");
  const parse = vi.fn((text: string) => text.length);
  return { at, parse, file: new LocalFile(at, parse) };
}

test("a file that changes is read again, and one that stays is not", async () => {
  const { at, parse, file } = lab();
  writeFileSync(at, "one");
  utimesSync(at, 1, 1);
  expect([await file.read(), await file.read()]).toEqual([3, 3]);
  expect(parse).toHaveBeenCalledTimes(2);
  writeFileSync(at, "three");
  expect(await file.read()).toBe(5);
  rmSync(at);
  expect(await file.read()).toBe(0);
  writeFileSync(at, "back");
  expect(await file.read()).toBe(4);
});

test("concurrent reads check the file once", async () => {
  const { at, parse, file } = lab();
  writeFileSync(at, "text");
  expect(await Promise.all([file.read(), file.read(), file.read()])).toEqual([4, 4, 4]);
  expect(parse.mock.calls).toEqual([[""], ["text"]]);
});

test("what is too large, a folder or missing counts as empty", async () => {
  const { at, file } = lab();
  expect(await file.read()).toBe(0);
  writeFileSync(at, "");
  truncateSync(at, limits.localFileBytes + 1);
  expect(await file.read()).toBe(0);
  expect(await new LocalFile(path.dirname(at), (text) => text.length).read()).toBe(0);
});

test.skipIf(process.platform === "win32")("a FIFO blocks nothing", async () => {
  const { at, file } = lab();
  execFileSync("mkfifo", [at]);
  expect(await file.read()).toBe(0);
});
