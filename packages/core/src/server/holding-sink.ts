import type { ClientExchange } from "../client/client-exchange.ts";
import type { RequestSink } from "../client/server/request-sink.ts";
import type { ErrorCode } from "../errors.ts";
import { bindContext } from "../runtime/async-context.ts";

/** Hands requests on, or holds them while a stopping server accepts the rest of its queued connections. */
export class HoldingSink implements RequestSink {
  readonly #target: RequestSink;
  #held: (() => void)[] | undefined;

  constructor(target: RequestSink) {
    this.#target = target;
  }

  onRequest(exchange: ClientExchange, refusal: ErrorCode | undefined): void {
    if (this.#held === undefined) this.#target.onRequest(exchange, refusal);
    else this.#keep(() => this.#target.onRequest(exchange, refusal));
  }

  onHandshake(exchange: ClientExchange, refusal: ErrorCode | undefined): void {
    if (this.#held === undefined) this.#target.onHandshake(exchange, refusal);
    else this.#keep(() => this.#target.onHandshake(exchange, refusal));
  }

  onMalformed(exchange: ClientExchange, code: ErrorCode): void {
    if (this.#held === undefined) this.#target.onMalformed(exchange, code);
    else this.#keep(() => this.#target.onMalformed(exchange, code));
  }

  #keep(handOn: () => void): void {
    this.#held?.push(bindContext(handOn));
  }

  hold(): void {
    this.#held ??= [];
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const handOn of held) handOn();
  }
}
