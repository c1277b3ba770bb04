import { execFileSync, spawnSync } from "node:child_process";

/** Whether a command is installed. */
export function has(command) {
  // Whatever it makes of the option: what is not there cannot be started.
  return spawnSync(command, ["-v"], { stdio: "ignore" }).error?.code !== "ENOENT";
}

/** The version that a command says it is, on either of its outputs. */
export function versionOf(command) {
  const { stdout, stderr } = spawnSync(command, ["-v"], { encoding: "utf8" });
  return /\d+\.\d+(?:\.\d+)?/.exec(`${stdout}${stderr}`)?.[0] ?? "unknown";
}

/** What a command prints, trimmed; undefined when there is no such command, or when it fails. */
export function output(command, words) {
  try {
    return execFileSync(command, words, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return undefined;
  }
}
