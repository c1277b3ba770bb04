// Detects a slower core: `pnpm bench:guard`. Takes half a minute. Compares the core's CPU time per request with that of the bare
// relay, and its allocated bytes per request, with the values in guard.json. `--write` stores the new values.

import { readFileSync, writeFileSync } from "node:fs";
import { startNodeBackend } from "./backends/start.js";
import { measureGuard } from "./guard/measure.js";
import { startLoad } from "./load/start.js";
import { toText } from "./report/tables.js";

const file = new URL("guard.json", import.meta.url);
const kept = JSON.parse(readFileSync(file, "utf8"));
const load = startLoad();
const { ports } = await startNodeBackend(2);
const measured = await measureGuard(ports, load);

let slipped = false;
const rows = Object.entries(kept).map(([name, { figure, tolerance }]) => {
  const change = measured[name] / figure - 1;
  const worse = change > tolerance;
  slipped ||= worse;
  const verdict = worse ? "slipped" : change < -tolerance ? "better: keep it with --write" : "as it was";
  return [name, String(figure), `${tolerance * 100} %`, measured[name].toFixed(2), verdict];
});
console.log(toText([["", "kept", "tolerance", "measured", ""], ...rows]));

if (process.argv.includes("--write")) {
  for (const [name, figure] of Object.entries(measured)) kept[name].figure = Number(figure.toFixed(2));
  writeFileSync(file, `${JSON.stringify(kept, null, 2)}\n`);
} else if (slipped) {
  process.exitCode = 1;
}
process.exit();
