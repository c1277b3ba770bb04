import { readFileSync } from "node:fs";
import type { AdminResponse } from "../http/response.ts";

let document: string | undefined;

/** The OpenAPI document of this version, which is a file of the package. */
export function openApi(): AdminResponse {
  document ??= readFileSync(new URL("../../openapi.json", import.meta.url), "utf8");
  return { status: 200, type: "application/json; charset=utf-8", body: document };
}
