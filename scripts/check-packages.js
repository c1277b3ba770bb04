// Packs every package as for publication and checks the tarballs: publint checks package.json and its files, attw checks
// what TypeScript resolves, and this script checks that a tarball contains only the files that a user needs.

import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";

const { packageManager } = JSON.parse(readFileSync("package.json", "utf8"));
const execute = promisify(execFile);
const folder = mkdtempSync(path.join(tmpdir(), "evenkeel-packages-"));

try {
  const pack = ["-r", "--filter", "./packages/*", "pack", "--pack-destination", folder];
  await execute("npx", ["-y", packageManager, ...pack], { shell: process.platform === "win32" });
  const checks = readdirSync(folder).flatMap((file) => {
    const tarball = path.join(folder, file);
    return [
      { file, name: "publint", args: ["run", tarball, "--strict"] },
      { file, name: "tar", args: ["-tzf", tarball], judge: judgeContents },
      { file, name: "attw", args: [tarball, "--profile", "esm-only", "--format", "ascii", "--no-color"] },
    ];
  });
  if (checks.length === 0) throw new Error("pnpm pack has created no tarball");
  await Promise.all(Array.from({ length: availableParallelism() }, () => work(checks)));
} catch (error) {
  console.error(error.stdout || error.stderr || error.message);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Runs checks of the shared list until it is empty. */
async function work(checks) {
  for (let check = checks.shift(); check !== undefined; check = checks.shift()) {
    try {
      const { stdout } = await execute(check.name, check.args, { shell: process.platform === "win32" });
      check.judge?.(stdout);
      console.log(`${check.file}: ${check.name} has found no mistake`);
    } catch (error) {
      console.error(`${check.file}: ${check.name}\n${error.stdout || error.stderr || error.message}`);
      process.exitCode = 1;
    }
  }
}

/** Throws if a tarball lacks the README, the license or package.json, or contains an unexpected file. */
function judgeContents(listing) {
  const files = listing.trim().split("\n");
  const missing = ["README.md", "LICENSE", "package.json"].filter((file) => !files.includes(`package/${file}`));
  const known =
    /^package\/(?:README\.md|LICENSE|package\.json|schema\.json|openapi\.json|bin\/[\w-]+\.js|dist\/[\w/-]+(?:\.d\.ts|\.js)|dist\/dashboard\/[\w/.-]+\.(?:html|css|svg|txt))$/;
  const unknown = files.filter((file) => !known.test(file));
  if (missing.length + unknown.length > 0) throw new Error(`missing files: ${missing}\nunexpected files: ${unknown}`);
}
