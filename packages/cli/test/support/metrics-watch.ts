import { sendRequest } from "./http.ts";

/** The faults that are kept: one may repeat itself in every scrape. */
const maxFaults = 10;

/** Reads /metrics again and again, and notes every counter that has decreased or is missing. */
export class MetricsWatch {
  readonly faults: string[] = [];
  scrapes = 0;
  #last: ReadonlyMap<string, number> = new Map();
  #going = true;
  readonly #mayRestart: RegExp;
  readonly #done: Promise<void>;

  /** `mayRestart` are series that begin anew: those of an upstream that leaves and joins. */
  constructor(admin: string, mayRestart: RegExp) {
    this.#mayRestart = mayRestart;
    this.#done = this.#run(admin);
  }

  async stop(): Promise<void> {
    this.#going = false;
    await this.#done;
  }

  async #run(admin: string): Promise<void> {
    while (this.#going) {
      try {
        const { status, text } = await sendRequest(admin, { path: "/metrics" });
        if (status === 200) this.#compare(countersIn(text));
        else this.#note(`status ${status}`);
      } catch (error) {
        this.#note(String(error));
      }
      this.scrapes++;
    }
  }

  #compare(counters: ReadonlyMap<string, number>): void {
    for (const [series, before] of this.#last) {
      if (this.#mayRestart.test(series)) continue;
      const now = counters.get(series);
      if (now === undefined) this.#note(`${series} is missing, was ${before}`);
      else if (now < before) this.#note(`${series} from ${before} to ${now}`);
    }
    this.#last = counters;
  }

  #note(fault: string): void {
    if (this.faults.length < maxFaults) this.faults.push(`scrape ${this.scrapes}: ${fault}`);
  }
}

/** The samples of our counters and histograms. Those of Node and of the process are of one process by their definition. */
function countersIn(text: string): ReadonlyMap<string, number> {
  const types = new Map<string, string>();
  const counters = new Map<string, number>();
  for (const line of text.split("\n")) {
    const [, name, type] = /^# TYPE (\S+) (\S+)/.exec(line) ?? [];
    if (name !== undefined && type !== undefined) types.set(name, type);
    const [, series = "", value] = /^(evenkeel_[a-z_]+(?:\{.*\})?) (\S+)$/.exec(line) ?? [];
    const family = series.replace(/\{.*/, "");
    const type0 = types.get(family) ?? types.get(family.replace(/_(?:bucket|count|sum)$/, ""));
    if (type0 === "counter" || type0 === "histogram") counters.set(series, Number(value));
  }
  return counters;
}
