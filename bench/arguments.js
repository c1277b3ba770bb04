import { parseArgs } from "node:util";
import { base, contenders } from "./contenders/list.js";
import { workloads } from "./workloads/list.js";

const names = (list) => list.map(({ name }) => name).join(", ");

export const usage = `Usage: pnpm bench [--only WORKLOAD,...] [--contenders NAME,...] [--rounds N] [--seconds S] [--base NAME]
                  [--quick] [--json FILE] [--write]

  --only        these workloads alone: ${names(workloads)}
  --contenders  these alone: ${names(contenders)}
  --rounds N    turns of each contender that count (each workload has its own number, 2 to 5)
  --seconds S   length of a turn, in whole seconds (1)
  --base NAME   what ratios are taken to (${base})
  --quick       one turn each of four contenders, none to warm up: to see that it works
  --json FILE   writes every figure of every turn there
  --write       writes docs/performance.md and docs/performance.json, with what this run has measured and nothing else

It takes about half an hour, with --quick about one minute.`;

/** What the command line asks for. Prints what is wrong with it, and exits. */
export function readArguments(words) {
  try {
    const { values } = parseArgs({
      args: words,
      options: {
        ...{ only: { type: "string" }, contenders: { type: "string" }, base: { type: "string", default: base } },
        ...{ rounds: { type: "string" }, seconds: { type: "string", default: "1" }, json: { type: "string" } },
        ...{ quick: { type: "boolean" }, write: { type: "boolean" }, help: { type: "boolean" } },
      },
    });
    if (values.help) {
      console.log(usage);
      process.exit(0);
    }
    const { quick = false, write = false, json } = values;
    return {
      workloads: choose("workload", workloads, values.only),
      contenders: choose("contender", contenders, values.contenders),
      base: choose("contender", contenders, values.base)[0].name,
      rounds: values.rounds === undefined ? undefined : toCount("--rounds", values.rounds, 100),
      seconds: toCount("--seconds", values.seconds, 60),
      ...{ quick, write, json },
    };
  } catch (error) {
    console.error(`${error.message}\n\n${usage}`);
    process.exit(2);
  }
}

function choose(what, list, chosen) {
  if (chosen === undefined) return list;
  return chosen.split(",").map((name) => {
    const found = list.find((one) => one.name === name);
    if (found === undefined) throw new Error(`there is no ${what} ${name}`);
    return found;
  });
}

function toCount(option, text, most) {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= most) return count;
  throw new Error(`${option} takes a whole number from 1 to ${most}, not ${text}`);
}
