import type { ReceivedResponse } from "./http.ts";

/** A load of continuous requests. */
export interface Load {
  /** The number of responses so far. */
  readonly responseCount: number;
  /** Stops the load, waits for requests in flight, and resolves with all responses and errors. */
  stop(): Promise<LoadResult>;
}

export interface LoadResult {
  readonly responses: readonly ReceivedResponse[];
  readonly errors: readonly Error[];
}

/** Starts clients that each send their next request after a response. `sendRequest` rejects for a lost request. */
export function startLoad(clients: number, sendRequest: () => Promise<ReceivedResponse>): Load {
  const responses: ReceivedResponse[] = [];
  const errors: Error[] = [];
  let going = true;
  const client = async () => {
    // A load that gets errors alone would fill the memory with them.
    while (going && errors.length < 1_000) {
      try {
        responses.push(await sendRequest());
      } catch (error) {
        errors.push(error as Error);
      }
    }
  };
  const done = Promise.all(Array.from({ length: clients }, client));
  return {
    get responseCount() {
      return responses.length;
    },
    async stop() {
      going = false;
      await done;
      return { responses, errors };
    },
  };
}
