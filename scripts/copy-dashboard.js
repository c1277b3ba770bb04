// Puts everything of the dashboard that is not compiled into packages/admin/dist/dashboard: the page, its styles and images,
// and the libraries, each with its license. The page loads no file from elsewhere, and nothing is bundled.

import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";

const admin = path.join(path.dirname(import.meta.dirname), "packages/admin");
const source = path.join(admin, "dashboard");
const target = path.join(admin, "dist/dashboard");
const vendor = path.join(target, "vendor");

rmSync(vendor, { recursive: true, force: true });
mkdirSync(vendor, { recursive: true });
for (const folder of ["style", "images"]) {
  for (const name of readdirSync(path.join(source, folder))) {
    copyFileSync(path.join(source, folder, name), path.join(target, name));
  }
}
writeFileSync(path.join(target, "index.html"), withPreloads(readFileSync(path.join(source, "index.html"), "utf8")));

// htm/preact/standalone is htm and Preact in one file.
copy("htm", "preact/standalone.module.js", "preact.js");
copy("uplot", "dist/uPlot.min.css", "uplot.css");
// One file for all licenses. It must not be called LICENSE: then pnpm would leave out the license of the package itself.
writeFileSync(path.join(vendor, "NOTICE.txt"), ["htm", "preact", "uplot"].map(noticeOf).join("\n"));
// The module of uPlot is not minified: the script is, and becomes a module by an export.
const script = readFileSync(fileOf("uplot", "dist/uPlot.iife.min.js"), "utf8");
writeFileSync(path.join(vendor, "uplot.js"), `${script}\nexport default uPlot;\n`);

function noticeOf(name) {
  const { version } = JSON.parse(readFileSync(fileOf(name, "package.json"), "utf8"));
  return `${name} ${version}\n\n${readFileSync(fileOf(name, "LICENSE"), "utf8")}`;
}

function copy(name, from, to) {
  copyFileSync(fileOf(name, from), path.join(vendor, to));
}

function fileOf(name, file) {
  return path.join(admin, "node_modules", name, file);
}

/** Names every module in the page, so that a browser requests all of them at once, and not one level of imports at a time. */
function withPreloads(page) {
  const modules = readdirSync(path.join(source, "src"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".d.ts") && name !== "apply-theme.ts")
    .map((name) => name.split(path.sep).join("/").replace(/\.ts$/, ".js"));
  const links = [...modules, "vendor/preact.js"]
    .sort()
    .map((name) => `<link rel="modulepreload" href="dashboard/${name}">`);
  return page.replace("<!-- modules -->", links.join("\n    "));
}
