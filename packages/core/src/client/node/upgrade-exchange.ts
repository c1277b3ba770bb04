import type { IncomingMessage, OutgoingHttpHeader, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { headerRule } from "../../config/settable-header.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { HeaderObject } from "../changed-headers.ts";
import type { ClientHandler } from "../client-exchange.ts";
import { RawStream } from "../raw-stream.ts";
import { connectionOf } from "./node-connection.ts";
import { NodeExchange } from "./node-exchange.ts";
import { upgradeResponse } from "./upgrade-response.ts";

/** What an adapter knows of an upgrade beside the request. */
export interface UpgradeOptions {
  readonly clock: Clock;
  /** The headers that the app has, where they are not `req.headers`. */
  readonly headers: HeaderObject | undefined;
  /** Headers that an app has set for the response to the upgrade, names and values by turns. */
  readonly responseHeaders: readonly string[] | undefined;
}

/**
 * Makes an exchange of what Node emits as `upgrade`; undefined while an earlier response on the connection is not finished.
 * `head` was received behind the request.
 */
export function createUpgradeExchange(
  req: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  options: UpgradeOptions,
): UpgradeExchange | undefined {
  const res = upgradeResponse(req, socket);
  if (res === undefined) return undefined;
  setAppHeaders(res, options.responseHeaders);
  return new UpgradeExchange(req, res, new RawStream(socket, head), options);
}

/** A request that offers an upgrade. The connection belongs to the exchange alone, and closes after the response. */
export class UpgradeExchange extends NodeExchange {
  readonly #raw: RawStream;

  constructor(req: IncomingMessage, res: ServerResponse, raw: RawStream, { clock, headers }: UpgradeOptions) {
    super(req, res, connectionOf(req.socket), clock, headers);
    this.#raw = raw;
  }

  override start(handler: ClientHandler): void {
    super.start(handler);
    // An idle timeout of the server does not end a handshake that waits for its upstream.
    this.req.socket.setTimeout?.(0);
    this.#raw.stream.on("error", this.#onClientGone).on("end", this.#onClientGone);
  }

  readonly #onClientGone = (): void => {
    this.onClose();
    if (!this.res.writableFinished) this.#raw.stream.destroy();
  };

  override takeOver(headers: readonly string[]): RawStream {
    const { stream } = this.#raw;
    stream.off("error", this.#onClientGone).off("end", this.#onClientGone);
    this.res.off("close", this.onClose);
    this.res.detachSocket(this.req.socket);
    let text = "HTTP/1.1 101 Switching Protocols\r\n";
    const all = [...headers, ...appHeadersBeside(this.res, headers)];
    for (let index = 0; index < all.length; index += 2) text += `${all[index]}: ${all[index + 1]}\r\n`;
    // Node would write it as UTF-8; bytes from 0x80 on are sent as they were received.
    stream.write(`${text}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`, "latin1");
    return this.#raw;
  }
}

/** Sets the app's headers on the response; every response but a 101 carries them. */
function setAppHeaders(res: ServerResponse, headers: readonly string[] = []): void {
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] as string;
    if (headerRule(name) !== "refused") res.appendHeader(name, headers[index + 1] as string);
  }
}

/** The app's headers that a 101 carries beside the upstream's: cookies, and names that the upstream does not use. */
function appHeadersBeside(res: ServerResponse, headers: readonly string[]): string[] {
  const names = new Set(headers.flatMap((name, place) => (place % 2 === 0 ? [name.toLowerCase()] : [])));
  return res.getHeaderNames().flatMap((name) => {
    if (name !== "set-cookie" && names.has(name)) return [];
    return [res.getHeader(name) as OutgoingHttpHeader].flat().flatMap((value) => [name, String(value)]);
  });
}
