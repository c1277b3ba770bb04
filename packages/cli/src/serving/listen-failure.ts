import { ListenError } from "evenkeel/server";
import { Failure } from "../failure.ts";

/** The message of an address that cannot be used is meant for users. */
export async function orFailure<T>(listening: Promise<T>): Promise<T> {
  try {
    return await listening;
  } catch (error) {
    throw error instanceof ListenError ? new Failure(error.message) : error;
  }
}
