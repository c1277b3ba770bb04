import { execFileSync, spawnSync } from "node:child_process";

/** Whether a command is installed. */
export function has(command) {
  // Only a missing command cannot be started; the exit code does not matter.
  return spawnSync(command, ["-v"], { stdio: "ignore" }).error?.code !== "ENOENT";
}

/** The version of a command, from its stdout or stderr. */
export function versionOf(command) {
  const { stdout, stderr } = spawnSync(command, ["-v"], { encoding: "utf8" });
  return /\d+\.\d+(?:\.\d+)?/.exec(`${stdout}${stderr}`)?.[0] ?? "unknown";
}

/** The trimmed output of a command; undefined if it is missing or fails. */
export function output(command, words) {
  try {
    return execFileSync(command, words, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return undefined;
  }
}
