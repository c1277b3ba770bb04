import { loadConfig, loadDocument } from "@evenkeel/config";
import { formatReport, OptionsError, simulate as run, type SimulationReport, type Trace } from "evenkeel";
import { Failure } from "../failure.ts";
import { StatusLine } from "../status-line.ts";
import { printLines } from "../table.ts";

export interface SimulateOptions {
  readonly seed: string;
  readonly workers: string;
  readonly json?: boolean;
}

/** Simulates the requests of a trace with a configuration, and prints the report. */
export async function simulate(configFile: string, traceFile: string, options: SimulateOptions): Promise<void> {
  const { seed, workers, json } = options;
  if (!/^\d{1,9}$/.test(seed)) throw new Failure(`expected a whole number as the seed, found ${JSON.stringify(seed)}`);
  if (!/^[1-9]\d{0,2}$/.test(workers) || Number(workers) > 256) {
    throw new Failure(`expected 1 to 256 workers, found ${JSON.stringify(workers)}`);
  }
  const report = await replay(configFile, traceFile, { seed: Number(seed), workers: Number(workers) });
  printLines((json === true ? JSON.stringify(report, null, 2) : formatReport(report).trimEnd()).split("\n"));
}

async function replay(
  configFile: string,
  traceFile: string,
  settings: { readonly seed: number; readonly workers: number },
): Promise<SimulationReport> {
  const { options } = loadConfig(configFile);
  const { data, toError } = loadDocument(traceFile);
  const line = process.stderr.isTTY ? new StatusLine((text) => process.stderr.write(text)) : undefined;
  const onProgress = (share: number) => line?.show(`simulating: ${Math.floor(share * 100)} %`);
  try {
    return await run(options, data as Trace, { ...settings, onProgress });
  } catch (error) {
    // The configuration was validated when it was loaded, so the mistakes are in the trace.
    if (!(error instanceof OptionsError)) throw error;
    throw toError(error.issues.map((issue) => ({ ...issue, path: issue.path.slice(1) })));
  } finally {
    line?.show("");
  }
}
