/** Replaces what is in force: the configuration, or the whole process. */

import { HttpError } from "../http/http-error.ts";
import { expectEmptyBody } from "../http/request-body.ts";
import { type AdminResponse, json, reloadErrorResponse } from "../http/response.ts";
import { type AdminOptions, RestartRefused } from "../options.ts";

export async function reload(onReload: AdminOptions["onReload"], body: unknown): Promise<AdminResponse> {
  expectEmptyBody(body);
  if (onReload === undefined) {
    throw new HttpError(501, "not_implemented", "this proxy was not given a configuration to load again");
  }
  try {
    return json(200, await onReload());
  } catch (error) {
    return reloadErrorResponse(error);
  }
}

/** If the restart fails, the process that sends this response serves as before. */
export async function restart(onRestart: AdminOptions["onRestart"], body: unknown): Promise<AdminResponse> {
  expectEmptyBody(body);
  if (onRestart === undefined) {
    throw new HttpError(501, "not_implemented", "this process cannot be restarted in place: only `evenkeel run` can");
  }
  try {
    const { pid } = await onRestart();
    return json(200, { pid });
  } catch (error) {
    const message = error instanceof Error ? error.message : "the new process could not be started";
    if (error instanceof RestartRefused) throw new HttpError(409, "restart_refused", message);
    throw new HttpError(500, "restart_failed", message);
  }
}
