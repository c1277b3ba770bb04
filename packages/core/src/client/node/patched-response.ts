import { ServerResponse } from "node:http";
import { Socket } from "node:net";

const { write, end } = ServerResponse.prototype;

/**
 * Whether data written to a response may reach other code than Node's and its socket. An app may have replaced `write` and
 * `end` by methods that keep the data, or that need the body in `end`; and what stands in for a socket may pass memory on
 * after it has reported the write as done.
 */
export function isPatched(res: ServerResponse): boolean {
  return res.write !== write || res.end !== end || !(res.req.socket instanceof Socket);
}
