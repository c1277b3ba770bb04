// All packages have the same version. `node scripts/version.js 1.2.3` sets it in their manifests and in version.ts. With
// `--check` it changes nothing and fails if a package has another version.

import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({ options: { check: { type: "boolean" } }, allowPositionals: true });
const [version, ...rest] = positionals;
if (!/^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$/.test(version ?? "") || rest.length > 0) {
  console.error("Usage: node scripts/version.js [--check] VERSION");
  process.exit(2);
}

const packages = path.join(path.dirname(import.meta.dirname), "packages");
for (const name of readdirSync(packages)) {
  set(path.join(packages, name, "package.json"), /(?<="version": ")[^"]*/);
  set(path.join(packages, name, "src", "version.ts"), /(?<=version = ")[^"]*/);
  set(path.join(packages, name, "openapi.json"), /(?<="version": ")[^"]*/);
}

function set(file, pattern) {
  if (!existsSync(file)) return;
  const text = readFileSync(file, "utf8");
  const [found] = pattern.exec(text) ?? [];
  if (found === version) return;
  if (values.check) {
    console.error(`${path.relative(process.cwd(), file)}: expected ${version}, found ${found}`);
    process.exitCode = 1;
  } else {
    writeFileSync(file, text.replace(pattern, version));
  }
}
