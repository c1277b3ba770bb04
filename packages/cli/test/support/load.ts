import type { Answer } from "./http.ts";

/** Requests that go on and on. */
export interface Load {
  /** How many have been answered so far. */
  readonly answered: number;
  /** Ends it, waits for what is under way, and resolves with everything that came of it. */
  stop(): Promise<LoadResult>;
}

export interface LoadResult {
  readonly answers: readonly Answer[];
  readonly errors: readonly Error[];
}

/** Lets so many clients ask, each again as soon as it has its answer. `ask` rejects for a request that was lost. */
export function startLoad(clients: number, ask: () => Promise<Answer>): Load {
  const answers: Answer[] = [];
  const errors: Error[] = [];
  let going = true;
  const client = async () => {
    while (going) {
      try {
        answers.push(await ask());
      } catch (error) {
        errors.push(error as Error);
      }
    }
  };
  const done = Promise.all(Array.from({ length: clients }, client));
  return {
    get answered() {
      return answers.length;
    },
    async stop() {
      going = false;
      await done;
      return { answers, errors };
    },
  };
}
