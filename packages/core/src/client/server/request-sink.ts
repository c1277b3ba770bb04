import type { ErrorCode } from "../../errors.ts";
import type { ClientExchange } from "../client-exchange.ts";

/**
 * Receives the requests that the connections of a server have read. A connection calls it once for each exchange, in the order
 * in which the requests were received. The sink starts the exchange, within the call or later.
 *
 * `refusal`: the request has to be refused with this code, and is the last one of its connection.
 */
export interface RequestSink {
  /** A request with a well-formed head. An offer to upgrade to anything but WebSocket is ignored (RFC 9110 section 7.8). */
  onRequest(exchange: ClientExchange, refusal: ErrorCode | undefined): void;
  /** A WebSocket handshake (RFC 6455 section 4.1, RFC 8441 section 4): `takeOver` returns the stream. */
  onHandshake(exchange: ClientExchange, refusal: ErrorCode | undefined): void;
  /**
   * A head that is malformed, too large or too slow. The exchange has what could be read of it: without a request line its
   * method and its version are empty.
   */
  onMalformed(exchange: ClientExchange, code: ErrorCode): void;
}
