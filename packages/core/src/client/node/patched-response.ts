import { ServerResponse } from "node:http";
import { Socket } from "node:net";

const { write, end } = ServerResponse.prototype;

/**
 * Whether what is written to a response goes to a socket by Node's own methods alone. An app may have put others on it,
 * which keep what is written, or wait for `end` to be given the body; and what stands for a socket may hand memory on
 * after it has said that it has taken it.
 */
export function isUntouched(res: ServerResponse): boolean {
  return res.write === write && res.end === end && res.req.socket instanceof Socket;
}
