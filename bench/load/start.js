import path from "node:path";
import { end, nextMessage, startScript } from "../machine/children.js";
import { has } from "../machine/commands.js";
import { saturateWithH2load } from "./h2load.js";
import { saturateWithWrk } from "./wrk.js";

/** Clients in a separate process, with a method for each task of driver.js. Saturates with wrk if it is installed. */
export function startLoad() {
  const child = startScript("others", path.join(import.meta.dirname, "driver.js"), []);
  const ask = (task) => async (options) => {
    child.send({ task, options });
    const { result, error } = await nextMessage(child, ((options?.seconds ?? 0) + 60) * 1_000);
    if (error !== undefined) throw new Error(`${task}: ${error}`);
    return result;
  };
  const withWrk = has("wrk");
  return {
    name: withWrk ? "wrk" : "the bundled driver, since wrk is not installed",
    saturate: withWrk ? saturateWithWrk : ask("saturate"),
    /** Needs h2load. */
    saturateHttp2: saturateWithH2load,
    /** Like `saturate`, but always with the bundled driver, which can run for less than a second. */
    drive: ask("saturate"),
    pace: ask("pace"),
    echo: ask("echo"),
    hold: ask("hold"),
    holdIdle: ask("holdIdle"),
    release: ask("release"),
    readSlowly: ask("readSlowly"),
    stop: () => end(child),
  };
}
