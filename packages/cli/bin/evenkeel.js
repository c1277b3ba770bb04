#!/usr/bin/env node
// Node opens its inspector on SIGUSR1, and the system ends the process on SIGUSR2, for as long as nothing listens for
// them. So these listeners come before everything that takes time to load, and are never removed.
process.on("SIGUSR1", () => {}).on("SIGUSR2", () => {});
// A SIGUSR1 may have come while Node itself was starting.
const inspector = process.getBuiltinModule("node:inspector");
const wanted = [...process.execArgv, process.env["NODE_OPTIONS"]].some((text) => text?.includes("--inspect"));
if (!wanted && inspector?.url() !== undefined) inspector.close();

await import("../dist/main.js");
