/** What a proxy does with the requests of a server of our own: the counterpart of node-listeners.ts. */

import createDebug from "debug";
import type { ClientExchange } from "./client/client-exchange.ts";
import type { RequestSink } from "./client/server/request-sink.ts";
import type { ErrorCode } from "./errors.ts";
import type { ForwardContext } from "./forward/context.ts";
import { createRecord, handleRequest, refuse } from "./forward/handle-request.ts";
import { RequestRecord } from "./forward/request-record.ts";
import { handleUpgrade } from "./forward/upgrade/handle-upgrade.ts";
import { readRequest } from "./request/routed-request.ts";
import { AsyncContext } from "./runtime/async-context.ts";
import type { Clock } from "./runtime/clock.ts";

const debug = createDebug("evenkeel:forward");

/** Forwards every request of a server. A request that no route matches gets a 404 response. */
export class ForwardingSink implements RequestSink {
  readonly clock: Clock;
  readonly #context: ForwardContext;
  /** An app's code is called with a request. */
  readonly #hasHooks: boolean;

  constructor(context: ForwardContext) {
    this.clock = context.runtime.clock;
    this.#context = context;
    const { onRequest, onResponse, onError } = context.hooks;
    this.#hasHooks = (onRequest ?? onResponse ?? onError) !== undefined;
  }

  onRequest(exchange: ClientExchange, refusal: ErrorCode | undefined): void {
    this.#run(this.#forward, exchange, refusal);
  }

  onHandshake(exchange: ClientExchange, refusal: ErrorCode | undefined): void {
    this.#run(this.#upgrade, exchange, refusal);
  }

  onMalformed(exchange: ClientExchange, code: ErrorCode): void {
    this.#run(this.#refuse, exchange, code);
  }

  /**
   * A hook may change its async context (`AsyncLocalStorage.enterWith`). That of the caller belongs to the connection: the change
   * would be seen by later requests, of other clients perhaps.
   */
  #run<Code>(begin: (exchange: ClientExchange, code: Code) => void, exchange: ClientExchange, code: Code): void {
    if (this.#hasHooks) new AsyncContext().run(begin, this, exchange, code);
    else begin.call(this, exchange, code);
  }

  #forward(exchange: ClientExchange, refusal: ErrorCode | undefined): void {
    const { routing } = this.#context;
    handleRequest(this.#context, routing, exchange, readRequest(exchange, routing), { refusal });
  }

  #upgrade(exchange: ClientExchange, refusal: ErrorCode | undefined): void {
    const { routing } = this.#context;
    const received = readRequest(exchange, routing);
    const record = createRecord(this.#context, exchange, received, {});
    handleUpgrade(this.#context, routing, exchange, received, record, { refusal });
  }

  #refuse(exchange: ClientExchange, code: ErrorCode): void {
    debug("no request: %s", code);
    refuse(this.#context, exchange, new RequestRecord(this.#context, exchange, undefined), code, { last: true });
  }
}
