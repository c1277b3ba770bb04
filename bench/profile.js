// Profiles the CPU time of a request: `pnpm bench:profile [FILE]`. Loads the own server with 27-byte responses under V8's sampling
// profiler, and sorts self time by file into the parts of the work (profile/groups.js). With the name of a .cpuprofile file, it
// sorts that one instead.

import { readFileSync } from "node:fs";
import { startBackends } from "./backends/start.js";
import { startLoad } from "./load/start.js";
import { profileCore, profileRows } from "./profile/measure.js";
import { split } from "./profile/split.js";
import { toText } from "./report/tables.js";

const [file] = process.argv.slice(2);
if (file === undefined) {
  const [backends, load] = await Promise.all([startBackends(), startLoad()]);
  console.log(toText(profileRows(await profileCore({ backends, load, seconds: 5 }))));
} else {
  const spent = split(JSON.parse(readFileSync(file, "utf8")), 0, Number.POSITIVE_INFINITY);
  const total = Object.values(spent).reduce((sum, micros) => sum + micros, 0);
  console.log(
    toText([
      ["", "share"],
      ...Object.entries(spent).map(([part, micros]) => [part, `${Math.round((micros / total) * 100)} %`]),
    ]),
  );
}
process.exit();
