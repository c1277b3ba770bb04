import { existsSync, writeFileSync } from "node:fs";
import path from "node:path";
import { Failure, reasonOf } from "../failure.ts";
import { starterConfig } from "../starter-config.ts";

/** Writes a starter configuration. Throws a `Failure` if the file exists. */
export function init(file: string): void {
  try {
    writeFileSync(file, schemaLine(file) + starterConfig, { flag: "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") {
      throw new Failure(`${file} exists already and was not changed; name another file`);
    }
    throw new Failure(`cannot write ${file}: ${reasonOf(error)}`);
  }
  const argument = file === "config.toml" ? "" : ` ${file}`;
  process.stdout.write(
    `wrote ${file}\n\nEdit its upstreams, then:\n  evenkeel check${argument}\n  evenkeel run${argument}\n`,
  );
}

/** Points editors to the schema if the project has it: the command may be installed elsewhere. */
function schemaLine(file: string): string {
  const schema = "./node_modules/@evenkeel/config/schema.json";
  return existsSync(path.resolve(path.dirname(file), schema)) ? `#:schema ${schema}\n` : "";
}
