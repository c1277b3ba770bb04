#!/usr/bin/env node
// Node opens its inspector on SIGUSR1, and the system ends the process on SIGUSR2, for as long as nothing listens for
// them. So these listeners come before everything that takes time to load, and are never removed.
process.on("SIGUSR1", () => {}).on("SIGUSR2", () => {});
// It also ends the process on SIGHUP. The server reloads on it once it has started; other commands end with their terminal.
if (process.argv.includes("run") || process.argv.includes("worker")) process.on("SIGHUP", () => {});
// A SIGUSR1 may have come while Node itself was starting.
const inspector = process.getBuiltinModule("node:inspector");
const wanted = [...process.execArgv, process.env["NODE_OPTIONS"]].some((text) => text?.includes("--inspect"));
if (!wanted && inspector?.url() !== undefined) inspector.close();

await import("../dist/main.js");
