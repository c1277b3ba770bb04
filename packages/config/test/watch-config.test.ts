import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
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

/** Changes the file, and waits until the watcher has called back. */
async function change(action: () => void): Promise<void> {
  const called = new Promise<void>((resolve) => {
    onChange = resolve;
  });
  action();
  await called;
}

describe("watchConfig", () => {
  it("calls back after each change of the content", async () => {
    watch();
    await change(() => writeFileSync(file, "a = 2\n"));
    await change(() => writeFileSync(file, "a = 3\n"));
    expect(changes).toBe(2);
  });

  it("notices a file that is replaced by another one", async () => {
    watch();
    for (const content of ["a = 2\n", "a = 3\n"]) {
      await change(() => {
        writeFileSync(`${file}.new`, content);
        renameSync(`${file}.new`, file);
      });
    }
    expect(changes).toBe(2);
  });

  it("does not call back while a file is missing, and does once it is back", async () => {
    watch();
    const other = join(directory, "witness.toml");
    writeFileSync(other, "1");
    await new Promise<void>((resolve) => {
      // The second watcher was started after the first: when it calls back, the first has polled too.
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

  it("waits for a file that does not exist yet", async () => {
    unlinkSync(file);
    watch();
    await change(() => writeFileSync(file, "a = 1\n"));
    expect(changes).toBe(1);
  });

  it("does not call back for a file that is written again with the same content", async () => {
    watch();
    writeFileSync(file, "a = 1\n");
    await change(() => writeFileSync(file, "a = 2\n"));
    expect(changes).toBe(1);
  });

  it("notices a link that changes its target", async () => {
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

  it("calls back for a file that can no longer be read", async () => {
    watch();
    await change(() => writeFileSync(file, Buffer.alloc(5_000_000, "#")));
    await change(() => writeFileSync(file, "a = 1\n"));
    expect(changes).toBe(2);
  });

  it("calls several watchers of one file, each until it is closed", async () => {
    watch();
    let others = 0;
    const otherCalled = new Promise<void>((resolve) => {
      const other = watchConfig(file, () => {
        others++;
        other.close();
        other.close();
        resolve();
      });
    });
    await change(() => writeFileSync(file, "a = 2\n"));
    // Each watcher polls at its own times.
    await otherCalled;
    await change(() => writeFileSync(file, "a = 3\n"));
    expect([changes, others]).toEqual([2, 1]);
  });

  describe("with certificate and key files", () => {
    const write = (name: string, text: string) => writeFileSync(join(directory, name), text);

    it.each([
      ["the listener's certificate", '[server.tls]\ncert = "watched.pem"\nkey = "site.key"\n'],
      ["the listener's key", '[server.tls]\ncert = "site.pem"\nkey = "watched.pem"\n'],
      ["the certificate authority of all pools", '[defaults.tls]\nca = "watched.pem"\n'],
      ["the client certificate of a pool", '[pools.a.tls]\ncert = "watched.pem"\nkey = "site.key"\n'],
      ["the key of the only pool", '[tls]\nkey = "watched.pem"\n'],
      ["a file in a variable", '[tls]\nkey = "$' + '{NAME:-watched}.pem"\n'],
    ])("notices a change of %s", async (_what, text) => {
      write("watched.pem", "old");
      writeFileSync(file, text);
      watch();
      await change(() => {
        write("watched.new", "new");
        renameSync(join(directory, "watched.new"), join(directory, "watched.pem"));
      });
      expect(changes).toBe(1);
    });

    it("notices a folder link that changes its target, as Kubernetes renews secrets", async () => {
      for (const version of ["v1", "v2"]) {
        mkdirSync(join(directory, version));
        write(`${version}/tls.crt`, version);
      }
      symlinkSync("v1", join(directory, "..data"));
      symlinkSync("..data/tls.crt", join(directory, "tls.crt"));
      writeFileSync(file, '[server.tls]\ncert = "tls.crt"\nkey = "site.key"\n');
      watch();
      await change(() => {
        symlinkSync("v2", join(directory, "..data_tmp"));
        renameSync(join(directory, "..data_tmp"), join(directory, "..data"));
      });
      expect(changes).toBe(1);
    });

    it("watches a file once the configuration names it, even if the configuration has mistakes", async () => {
      watch();
      await change(() => writeFileSync(file, 'upstream = "a mistake"\n[tls]\nca = "later.pem"\n'));
      await change(() => write("later.pem", "1"));
      await change(() => writeFileSync(file, "a = \n"));
      await change(() => write("later.pem", "2"));
      expect(changes).toBe(4);
    });
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
