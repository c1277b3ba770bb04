import { execFile } from "node:child_process";
import { mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ConfigWatcher, watchConfig } from "../src/index.ts";

let directory: string;
let file: string;
let watcher: ConfigWatcher | undefined;
let changes: number;
let onChange: () => void;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "evenkeel-watch-"));
  file = join(directory, "config.toml");
  writeFileSync(file, "a = 1\n");
  changes = 0;
  onChange = () => undefined;
});

afterEach(() => {
  watcher?.close();
  watcher = undefined;
  rmSync(directory, { recursive: true });
});

function watch(path = file): void {
  watcher = watchConfig(path, () => {
    changes++;
    onChange();
  });
}

/** Does something to the file, and waits until the watcher has told. */
async function change(action: () => void): Promise<void> {
  const told = new Promise<void>((resolve) => {
    onChange = resolve;
  });
  action();
  await told;
}

describe("watchConfig", () => {
  it("tells of each change of the content", async () => {
    watch();
    await change(() => writeFileSync(file, "a = 2\n"));
    await change(() => writeFileSync(file, "a = 3\n"));
    expect(changes).toBe(2);
  });

  it("sees a file that another one replaces", async () => {
    watch();
    for (const content of ["a = 2\n", "a = 3\n"]) {
      await change(() => {
        writeFileSync(`${file}.new`, content);
        renameSync(`${file}.new`, file);
      });
    }
    expect(changes).toBe(2);
  });

  it("waits for a file that is gone for a while, and says nothing of the absence", async () => {
    watch();
    const other = join(directory, "witness.toml");
    writeFileSync(other, "1");
    await new Promise<void>((resolve) => {
      // A second watcher, started after the first, tells when the first has had its turn.
      const witness = watchConfig(other, () => {
        witness.close();
        resolve();
      });
      unlinkSync(file);
      writeFileSync(other, "2");
    });
    expect(changes).toBe(0);
    await change(() => writeFileSync(file, "a = 2\n"));
    expect(changes).toBe(1);
  });

  it("waits for a file that is not there yet", async () => {
    unlinkSync(file);
    watch();
    await change(() => writeFileSync(file, "a = 1\n"));
    expect(changes).toBe(1);
  });

  it("says nothing of a file written again as it was", async () => {
    watch();
    writeFileSync(file, "a = 1\n");
    await change(() => writeFileSync(file, "a = 2\n"));
    expect(changes).toBe(1);
  });

  it("sees a link that is pointed elsewhere", async () => {
    const link = join(directory, "link.toml");
    const next = join(directory, "next.toml");
    writeFileSync(next, "a = 2\n");
    symlinkSync(file, link);
    watch(link);
    await change(() => {
      symlinkSync(next, `${link}.new`);
      renameSync(`${link}.new`, link);
    });
    expect(changes).toBe(1);
  });

  it("tells of a file that cannot be read any more", async () => {
    watch();
    await change(() => writeFileSync(file, Buffer.alloc(5_000_000, "#")));
    await change(() => writeFileSync(file, "a = 1\n"));
    expect(changes).toBe(2);
  });

  it("tells several watchers of one file, each until it is closed", async () => {
    watch();
    let others = 0;
    const otherTold = new Promise<void>((resolve) => {
      const other = watchConfig(file, () => {
        others++;
        other.close();
        other.close();
        resolve();
      });
    });
    await change(() => writeFileSync(file, "a = 2\n"));
    // Each looks at times of its own.
    await otherTold;
    await change(() => writeFileSync(file, "a = 3\n"));
    expect([changes, others]).toEqual([2, 1]);
  });

  it("does not keep the process alive", async () => {
    const source = new URL("../src/watch-config.ts", import.meta.url).href;
    const built = new URL("../dist/watch-config.js", import.meta.url).href;
    const script = `
      const { watchConfig } = await import(process.features.typescript ? ${JSON.stringify(source)} : ${JSON.stringify(built)});
      watchConfig(${JSON.stringify(file)}, () => {});
      console.log("watching");`;
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", script]);
    expect(stdout).toBe("watching\n");
  });
});
