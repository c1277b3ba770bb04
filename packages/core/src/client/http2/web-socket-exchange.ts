import { randomBytes } from "node:crypto";
import { withoutFields } from "../../http1/fields.ts";
import { RawStream } from "../raw-stream.ts";
import { Http2ServerExchange, type StreamHead } from "./http2-server-exchange.ts";
import type { StreamHost } from "./stream-host.ts";
import { TunnelStream } from "./tunnel-stream.ts";

/** What only a handshake over HTTP/1.1 has (RFC 8441 section 5). */
const keyFields: ReadonlySet<string> = new Set(["sec-websocket-key"]);
const acceptFields: ReadonlySet<string> = new Set(["sec-websocket-accept"]);

/**
 * A WebSocket handshake over a stream of HTTP/2: an extended CONNECT (RFC 8441). Its handler sees the equivalent GET of RFC 6455
 * with a key of its own, which the upstream has to prove that it has read.
 */
export class WebSocketExchange extends Http2ServerExchange {
  constructor(host: StreamHost, id: number, head: StreamHead) {
    const key = randomBytes(16).toString("base64");
    const rawHeaders = withoutFields(head.rawHeaders, keyFields);
    rawHeaders.push("connection", "Upgrade", "upgrade", "websocket", "sec-websocket-key", key);
    // The data of the tunnel is no body of the request.
    super(host, id, { ...head, method: "GET", rawHeaders, bodyFollows: false });
  }

  /** Data in front of the tunnel is early data of it, and no body. */
  override get bodyComplete(): boolean {
    return true;
  }

  override readBody(): void {
    if (this.isTunnel) super.readBody();
    else this.endEmptyBody();
  }

  override takeOver(headers: readonly string[]): RawStream {
    const stream = new TunnelStream(this);
    this.begin(200, "", withoutFields(headers, acceptFields), false);
    this.flush();
    return new RawStream(stream, this.becomeTunnel(stream));
  }
}
