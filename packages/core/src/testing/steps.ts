import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { Clock } from "../runtime/clock.ts";

/** An answer to one request. */
export interface ScriptedAnswer {
  /** Default 200. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** Default: the upstream's name for 200, nothing otherwise. */
  readonly body?: string | Uint8Array;
  /** Milliseconds before it begins. Default 0. */
  readonly delayMs?: number;
}

/**
 * What a scripted upstream does with a request: `ok` answers 200 with its name, `slow` does so after `slowMs`, a status
 * such as `503` answers with that; `reset` resets the connection before the answer, `truncate` in the middle of it, and
 * `hang` never answers. `refuse` is no answer: when its turn comes the upstream stops listening, until `listen()`.
 */
export type Step =
  | ("ok" | "slow" | "reset" | "truncate" | "hang" | "refuse")
  | `${number}`
  | ScriptedAnswer
  | RequestListener;

interface Setting {
  readonly name: string;
  readonly slowMs: number;
  readonly clock: Clock;
}

/** Answers a request whose body has come whole. */
export function perform(step: Step, req: IncomingMessage, res: ServerResponse, setting: Setting): void {
  if (typeof step === "function") return step(req, res);
  if (typeof step === "object") return answer(step, res, setting);
  if (step === "hang") return;
  if (step === "reset") return void req.socket.resetAndDestroy();
  if (step === "truncate") return truncate(res, setting.name);
  if (step === "slow") return answer({ delayMs: setting.slowMs }, res, setting);
  answer(step === "ok" ? {} : { status: Number(step) }, res, setting);
}

/** Throws a `TypeError` for what is no step, so that a slip of the pen is no hang. */
export function checkSteps(steps: readonly Step[]): void {
  for (const step of steps) {
    if (typeof step === "string" && !/^(ok|slow|reset|truncate|hang|refuse|[2-5]\d\d)$/.test(step)) {
      throw new TypeError(`"${step}" is no step: expected ok, slow, reset, truncate, hang, refuse or a status`);
    }
  }
}

function answer({ status = 200, headers = {}, body, delayMs = 0 }: ScriptedAnswer, res: ServerResponse, set: Setting) {
  const send = () => {
    for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
    res.writeHead(status).end(body ?? (status === 200 ? set.name : ""));
  };
  if (delayMs > 0) set.clock.setTimeout(send, delayMs);
  else send();
}

/** Promises a byte more than it sends. */
function truncate(res: ServerResponse, body: string): void {
  res.writeHead(200, { "Content-Length": Buffer.byteLength(body) + 1 });
  res.write(body, () => res.destroy());
}
