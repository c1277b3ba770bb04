import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly engines: unknown;
  readonly license: string;
  readonly keywords: readonly string[];
  readonly scripts?: unknown;
  readonly exports: Readonly<Record<string, unknown>>;
  readonly publishConfig: { readonly exports: Readonly<Record<string, unknown>> };
  readonly dependencies: Readonly<Record<string, string>>;
}

const packages = path.join(import.meta.dirname, "../../packages");
const manifests = readdirSync(packages).map(
  (folder) => JSON.parse(readFileSync(path.join(packages, folder, "package.json"), "utf8")) as Manifest,
);
const core = manifests.find(({ name }) => name === "evenkeel");

describe.each(manifests)("$name", (manifest) => {
  it("has the version, engines and license of the core package", () => {
    const { version, engines, license } = manifest;
    expect({ version, engines, license }).toEqual({
      version: core?.version,
      engines: core?.engines,
      license: core?.license,
    });
  });

  it("depends on the other packages of the workspace by exactly that version", () => {
    const ours = Object.entries(manifest.dependencies).filter(([name]) => /^(?:evenkeel$|@evenkeel\/)/.test(name));
    expect(ours.filter(([, version]) => version !== "workspace:*")).toEqual([]);
  });

  it("has no scripts, so that nothing runs on installation", () => {
    expect(manifest.scripts).toBeUndefined();
  });

  it("publishes the same entries, without the source condition", () => {
    const published = Object.entries(manifest.exports).map(([entry, target]) => {
      if (typeof target === "string") return [entry, target];
      const { "@evenkeel/source": _, ...conditions } = target as Record<string, string>;
      return [entry, conditions];
    });
    expect(manifest.publishConfig.exports).toEqual(Object.fromEntries(published));
  });

  it("has the keywords of a reverse proxy", () => {
    expect(manifest.keywords).toEqual(expect.arrayContaining(["proxy", "reverse-proxy", "load-balancer"]));
  });
});
