// The commands are loaded when they are asked for, so that --help and --version answer at once.

import { debuglog } from "node:util";
import type { ConfigError } from "@evenkeel/config";
import { Command, Option } from "commander";
import type { RemoteOptions } from "./admin-client.ts";
import type { DemoOptions } from "./commands/demo.ts";
import type { ExplainOptions } from "./commands/explain.ts";
import type { RunOptions } from "./commands/run.ts";
import type { SimulateOptions } from "./commands/simulate.ts";
import { exitCodeOf, exitCodes, messageOf } from "./failure.ts";
import { version } from "./version.ts";

const debug = debuglog("evenkeel:cli");

const program = new Command("evenkeel")
  .description("A load-balancing HTTP reverse proxy.\nWithout a command it serves what config.toml says.")
  .version(version, "-V, --version")
  .addHelpText(
    "after",
    "\nSIGHUP reloads the configuration, SIGUSR1 reopens the access log.\n" +
      "SIGTERM, SIGINT and SIGQUIT let requests in flight finish, then stop.",
  );

command("run [config]", "serve", { isDefault: true })
  .option("-w, --watch", "reload when the file, or a certificate that it names, changes")
  .action((file: string = "config.toml", options: RunOptions) =>
    finish(async () => (await import("./commands/run.ts")).run(file, options)),
  );

command("check [config]", "validate a configuration file, and print its routes and pools").action(
  (file: string = "config.toml") => attempt(async () => (await import("./commands/check.ts")).check(file)),
);

command("init [config]", "write a commented configuration to start from").action((file: string = "config.toml") =>
  attempt(async () => (await import("./commands/init.ts")).init(file)),
);

command("demo", "a proxy over three small upstreams, one slow and one flaky")
  .option("-p, --port <port>", "the proxy's port (default: 8080, or the next free one)")
  .action((options: DemoOptions) => finish(async () => (await import("./commands/demo.ts")).demo(options)));

command("simulate <config> <trace>", "replay traffic against a configuration on virtual time, without a socket")
  .option("--seed <number>", "another number gives other chance, the same number the same report", "1")
  .option("--json", "print the whole report as JSON")
  .action((file: string, trace: string, options: SimulateOptions) =>
    attempt(async () => (await import("./commands/simulate.ts")).simulate(file, trace, options)),
  );

remote("status", "show the pools of a running proxy").action((options: RemoteOptions) =>
  attempt(async () => (await import("./commands/admin-commands.ts")).status(options)),
);
remote("weight <pool/upstream> <weight>", "give an upstream another weight").action(
  (target: string, text: string, options: RemoteOptions) =>
    attempt(async () => (await import("./commands/admin-commands.ts")).weight(target, text, options)),
);
for (const [name, state, description] of [
  ["drain", "draining", "let an upstream finish what it has, and give it nothing new"],
  ["enable", "active", "let an upstream take requests again"],
  ["disable", "disabled", "give an upstream nothing at all"],
] as const) {
  const setting = remote(`${name} <pool/upstream>`, description);
  if (state !== "active") setting.option("--timeout <duration>", "close its WebSockets after this long, as in 30s");
  setting.action((target: string, options: RemoteOptions) =>
    attempt(async () => (await import("./commands/admin-commands.ts")).setState(target, state, options)),
  );
}
remote("reload", "let a running proxy load its configuration again").action((options: RemoteOptions) =>
  attempt(async () => (await import("./commands/admin-commands.ts")).reload(options)),
);

remote("explain <url>", "say what a running proxy would do with a request, and why")
  .option("-m, --method <method>", "the request's method", "GET")
  .option("--host <host>", "its Host, in place of the URL's")
  .option("--header <line>", 'a header as "Name: value"; may be given several times', collect)
  .option("--client <address>", "the address that it comes from")
  .option("--json", "print the explanation as JSON")
  .action((url: string, options: ExplainOptions) =>
    attempt(async () => (await import("./commands/explain.ts")).explain(url, options)),
  );

// What is printed may be cut off by its reader, as in `evenkeel check | head`.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});

void program.parseAsync();

function command(usage: string, description: string, options: { isDefault?: boolean } = {}): Command {
  return program.command(usage, options).description(description).version(version, "-V, --version");
}

/** The values of an option that may be given several times. */
function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

function remote(usage: string, description: string): Command {
  return command(usage, description)
    .option("-a, --admin <url>", "the admin API of the proxy, or unix:PATH", "http://127.0.0.1:9090")
    .addOption(new Option("-t, --token <token>", "the token of the admin API").env("EVENKEEL_TOKEN"));
}

/** Runs a command that ends by itself. */
async function attempt(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    process.exitCode = await report(error);
  }
}

/** Waits for a server's end, which is the end of the process too, whatever may still be open. */
async function finish(work: () => Promise<void>): Promise<void> {
  const code = await work().then(() => exitCodes.ok, report);
  process.exit(code);
}

async function report(error: unknown): Promise<number> {
  debug("%o", error);
  process.stderr.write(`evenkeel: ${messageOf(error)}${await hintFor(error)}\n`);
  return exitCodeOf(error);
}

/** `evenkeel chekc` looks like a file to serve. */
async function hintFor(error: unknown): Promise<string> {
  const { kind, file } = error as Partial<ConfigError>;
  if (kind !== "missing" || file === undefined) return "";
  const { didYouMean } = await import("evenkeel");
  const names = program.commands.map((known) => known.name());
  const meant = /did you mean "\w+"/.exec(didYouMean(file, names));
  return meant === null ? '; "evenkeel init" writes one to start from' : `, ${meant[0]}?`;
}
