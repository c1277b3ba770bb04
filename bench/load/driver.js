// All kinds of clients, in a separate process. Runs one task at a time, and sends back its result.

import { saturate } from "./closed-loop.js";
import { holdIdle, releaseIdle } from "./idle-connections.js";
import { pace } from "./open-loop.js";
import { readSlowly } from "./slow-reader.js";
import { echo, hold, release } from "./websockets.js";

const tasks = { saturate, pace, echo, hold, holdIdle, release: releaseAll, readSlowly };

function releaseAll() {
  releaseIdle();
  return release();
}

process.on("message", async ({ task, options }) => {
  try {
    process.send({ result: (await tasks[task](options)) ?? {} });
  } catch (error) {
    process.send({ error: error.message });
  }
});
process.on("disconnect", () => process.exit());
