import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { Clock } from "../runtime/clock.ts";

/** The response to one request. */
export interface ScriptedAnswer {
  /** Default: 200. */
  readonly status?: number;
  /** Default: none. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** Default: the upstream's name for 200, otherwise empty. */
  readonly body?: string | Uint8Array;
  /** The delay of the response in milliseconds. Default: 0. */
  readonly delayMs?: number;
}

/**
 * What a scripted upstream does with a request. `ok` responds 200 with the upstream's name, `slow` does so after `slowMs`,
 * and a status such as `503` responds with that status. `reset` resets the connection before the response, `truncate` cuts
 * it off within the response, and `hang` never responds. `refuse` takes no request: the upstream stops listening when it
 * reaches this step, until `listen()` is called.
 */
export type Step =
  | ("ok" | "slow" | "reset" | "truncate" | "hang" | "refuse")
  | `${number}`
  | ScriptedAnswer
  | RequestListener;

interface StepContext {
  readonly name: string;
  readonly slowMs: number;
  readonly clock: Clock;
}

/** Performs a step. The body of the request must have been received completely. */
export function performStep(step: Step, req: IncomingMessage, res: ServerResponse, context: StepContext): void {
  if (typeof step === "function") return step(req, res);
  if (typeof step === "object") return respond(step, res, context);
  if (step === "hang") return;
  if (step === "reset") return void req.socket.resetAndDestroy();
  if (step === "truncate") return truncate(res, context.name);
  if (step === "slow") return respond({ delayMs: context.slowMs }, res, context);
  respond(step === "ok" ? {} : { status: Number(step) }, res, context);
}

/** Throws a `TypeError` for an unknown step, so that a typo is an error and not a request that never ends. */
export function checkSteps(steps: readonly Step[]): void {
  for (const step of steps) {
    if (typeof step === "string" && !/^(ok|slow|reset|truncate|hang|refuse|[2-5]\d\d)$/.test(step)) {
      throw new TypeError(
        `expected ok, slow, reset, truncate, hang, refuse or a status, found ${JSON.stringify(step)}`,
      );
    }
  }
}

function respond(response: ScriptedAnswer, res: ServerResponse, { name, clock }: StepContext): void {
  const { status = 200, headers = {}, body, delayMs = 0 } = response;
  const send = () => {
    for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
    res.writeHead(status).end(body ?? (status === 200 ? name : ""));
  };
  if (delayMs > 0) clock.setTimeout(send, delayMs);
  else send();
}

/** Announces one byte more in Content-Length than it sends. */
function truncate(res: ServerResponse, body: string): void {
  res.writeHead(200, { "Content-Length": Buffer.byteLength(body) + 1 });
  res.write(body, () => res.destroy());
}
