// Each command is loaded when it is used, so that --help and --version respond at once.

import { debuglog } from "node:util";
import type { ConfigError } from "@evenkeel/config";
import { Command, Option } from "commander";
import type { AdminCommandOptions } from "./commands/admin-commands.ts";
import type { CheckOptions } from "./commands/check.ts";
import type { DemoOptions } from "./commands/demo.ts";
import type { ExplainOptions } from "./commands/explain.ts";
import type { RunOptions } from "./commands/run.ts";
import type { SimulateOptions } from "./commands/simulate.ts";
import type { TopOptions } from "./commands/top.ts";
import { exitCodeOf, exitCodes, messageOf, toErrorDocument } from "./failure.ts";
import { toSafeJson } from "./log/escape.ts";
import { version } from "./version.ts";

const debug = debuglog("evenkeel:cli");

const program = new Command("evenkeel")
  .description("A load-balancing HTTP reverse proxy.\nWithout a command it serves the configuration in config.toml.")
  .version(version, "-V, --version")
  .addHelpText(
    "after",
    "\nSIGHUP reloads the configuration, SIGUSR1 reopens the access log.\n" +
      "SIGUSR2 starts the command again in place of this process, without a lost request.\n" +
      "SIGTERM, SIGINT and SIGQUIT let requests in flight finish, then stop.",
  );

command("run [config]", "serve", { isDefault: true })
  .option("-w, --watch", "reload when the file, or a certificate that it names, changes")
  .option("--pid-file <path>", "write the process id to a file once the command serves")
  .action((file: string = "config.toml", options: RunOptions) =>
    finish(async () => (await import("./commands/run.ts")).run(file, options)),
  );

/** Only a primary starts it. */
const workerCommand = program
  .command("worker", { hidden: true })
  .action(() => finish(async () => (await import("./commands/worker.ts")).worker()));

command("check [config]", "validate a configuration file, and print its routes and pools")
  .option("--json", "print the warnings, or the mistakes with their lines, as JSON")
  .action((file: string = "config.toml", options: CheckOptions) =>
    attempt(async () => (await import("./commands/check.ts")).check(file, options), options),
  );

command("init [config]", "write a commented starter configuration").action((file: string = "config.toml") =>
  attempt(async () => (await import("./commands/init.ts")).init(file)),
);

command("demo", "run a proxy with three pools of small upstreams, one of them flaky, and traffic")
  .option("-p, --port <port>", "the proxy's port (default: 8080, or the next free one)")
  .option("--no-traffic", "send no requests through the proxy")
  .action((options: DemoOptions) => finish(async () => (await import("./commands/demo.ts")).demo(options)));

command("simulate <config> <trace>", "replay traffic against a configuration on virtual time, without a socket")
  .option("--seed <number>", "the seed of the random numbers; the same seed gives the same report", "1")
  .option("--workers <number>", "the number of proxies with the configuration, over the same upstreams", "1")
  .option("--json", "print the whole report as JSON")
  .action((file: string, trace: string, options: SimulateOptions) =>
    attempt(async () => (await import("./commands/simulate.ts")).simulate(file, trace, options), options),
  );

adminCommand("status", "show the problems, pools and upstreams of a running proxy").action(
  (options: AdminCommandOptions) =>
    attempt(async () => (await import("./commands/status.ts")).status(options), options),
);
adminCommand("top", "show the state of a running proxy, updated every second", "print a line of JSON every second")
  .option("--once", "print one state and end")
  .option("--sort <order>", "status, rate, errors, p99, in-flight or name", "status")
  .option("--pool <name>", "show the upstreams of one pool")
  .action((options: TopOptions) => attempt(async () => (await import("./commands/top.ts")).top(options), options));
adminCommand("failures", "show the requests that have failed last").action((options: AdminCommandOptions) =>
  attempt(async () => (await import("./commands/failures.ts")).failures(options), options),
);
adminCommand("config", "print the configuration that a running proxy uses, without secrets").action(
  (options: AdminCommandOptions) =>
    attempt(async () => (await import("./commands/config.ts")).config(options), options),
);
adminCommand("weight <pool/upstream> <weight>", "set the weight of an upstream").action(
  (target: string, text: string, options: AdminCommandOptions) =>
    attempt(async () => (await import("./commands/admin-commands.ts")).weight(target, text, options), options),
);
for (const [name, state, description] of [
  ["drain", "draining", "send an upstream no new requests, and let those in flight finish"],
  ["enable", "active", "send requests to an upstream again"],
  ["disable", "disabled", "send an upstream no requests at all"],
] as const) {
  const setting = adminCommand(`${name} <pool/upstream>`, description);
  if (state !== "active") setting.option("--timeout <duration>", "close its WebSockets after this long, as in 30s");
  setting.action((target: string, options: AdminCommandOptions) =>
    attempt(async () => (await import("./commands/admin-commands.ts")).setState(target, state, options), options),
  );
}
adminCommand("reload", "reload the configuration of a running proxy").action((options: AdminCommandOptions) =>
  attempt(async () => (await import("./commands/admin-commands.ts")).reload(options), options),
);

adminCommand("restart", "replace a running proxy in place with the code and the configuration on disk").action(
  (options: AdminCommandOptions) =>
    attempt(async () => (await import("./commands/admin-commands.ts")).restart(options), options),
);

adminCommand("explain <url>", "explain how a running proxy would handle a request")
  .option("-m, --method <method>", "the request's method", "GET")
  .option("--host <host>", "its Host header, instead of the host in the URL")
  .option("--header <line>", 'a header as "Name: value"; may be repeated', collect)
  .option("--client <address>", "the address of the client")
  .action((url: string, options: ExplainOptions) =>
    attempt(async () => (await import("./commands/explain.ts")).explain(url, options), options),
  );

// The reader of the output may close its pipe, as in `evenkeel check | head`.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});

void program.parseAsync();

function command(usage: string, description: string, options: { isDefault?: boolean } = {}): Command {
  return program.command(usage, options).description(description).version(version, "-V, --version");
}

/** Collects the values of an option that may be repeated. */
function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

function adminCommand(usage: string, description: string, json = "print JSON"): Command {
  return command(usage, description)
    .option("--json", json)
    .option("-a, --admin <url>", "the admin API of the proxy, or unix:PATH", "http://127.0.0.1:9090")
    .addOption(new Option("-t, --token <token>", "the token of the admin API").env("EVENKEEL_TOKEN"));
}

/** Runs a command that ends by itself. With `json`, an error goes to stdout as JSON: a program reads one document there. */
async function attempt(work: () => Promise<void>, { json = false }: { readonly json?: boolean } = {}): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (json) process.stdout.write(`${toSafeJson(toErrorDocument(error))}\n`);
    process.exitCode = json ? exitCodeOf(error) : await report(error);
  }
}

/** Runs a server until it stops, then ends the process even if handles are still open. */
async function finish(work: () => Promise<void>): Promise<void> {
  const code = await work().then(() => exitCodes.ok, report);
  process.exit(code);
}

async function report(error: unknown): Promise<number> {
  debug("%o", error);
  process.stderr.write(`evenkeel: ${messageOf(error)}${await hintFor(error)}\n`);
  return exitCodeOf(error);
}

/** A misspelt command such as `evenkeel chekc` is taken for the name of a file. */
async function hintFor(error: unknown): Promise<string> {
  const { kind, file } = error as Partial<ConfigError>;
  if (kind !== "missing" || file === undefined) return "";
  const { didYouMean } = await import("evenkeel");
  const names = program.commands.filter((known) => known !== workerCommand).map((known) => known.name());
  const meant = /did you mean "\w+"/.exec(didYouMean(file, names));
  return meant === null ? '; "evenkeel init" writes a starter configuration' : `, ${meant[0]}?`;
}
