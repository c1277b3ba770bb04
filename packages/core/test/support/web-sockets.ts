import { createHash } from "node:crypto";
import { once } from "node:events";
import { onTestFinished } from "vitest";
import { type ClientOptions, WebSocket, WebSocketServer } from "ws";
import { receivedOf, startUpstream, type TestUpstream } from "./start-upstream.ts";

/** An upstream that sends every message back; of several subprotocols it takes the last. */
export async function startEcho(name = "echo"): Promise<TestUpstream> {
  const upstream = await startUpstream(name);
  const endpoint = new WebSocketServer({
    noServer: true,
    handleProtocols: (offered) => [...offered].at(-1) ?? false,
  });
  upstream.server.on("upgrade", (req, socket, head) => {
    upstream.received.push(receivedOf(req));
    endpoint.handleUpgrade(req, socket, head, (client) => {
      client.on("message", (data, binary) => client.send(data, { binary }));
      client.on("error", () => {});
    });
  });
  return upstream;
}

/** Opens a WebSocket, gone when the test is over. */
export function openSocket(url: string, protocols: string[] = [], options: ClientOptions = {}): WebSocket {
  const socket = new WebSocket(url.replace(/^http/, "ws"), protocols, options);
  socket.on("error", () => {});
  onTestFinished(() => socket.terminate());
  return socket;
}

/** A WebSocket that is open. */
export async function connectSocket(
  url: string,
  protocols: string[] = [],
  options: ClientOptions = {},
): Promise<WebSocket> {
  const socket = openSocket(url, protocols, options);
  await once(socket, "open");
  return socket;
}

/** Sends a message and resolves with what comes back. */
export async function echo(socket: WebSocket, message: string | Buffer): Promise<{ data: Buffer; binary: boolean }> {
  const answer = once(socket, "message") as Promise<[Buffer, boolean]>;
  socket.send(message);
  const [data, binary] = await answer;
  return { data, binary };
}

/** The code that a WebSocket is closed with. */
export async function closeCode(socket: WebSocket): Promise<number> {
  const [code] = (await once(socket, "close")) as [number];
  return code;
}

const handshakeKey = "dGhlIHNhbXBsZSBub25jZQ==";

/** The bytes of a handshake, with more header lines. */
export function handshake(path = "/", lines: readonly string[] = []): string {
  const own = [
    "Host: h",
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    `Sec-WebSocket-Key: ${handshakeKey}`,
  ];
  return `GET ${path} HTTP/1.1\r\n${[...own, ...lines].join("\r\n")}\r\n\r\n`;
}

/** The bytes of the answer that fits. */
export function switching(lines: readonly string[] = []): string {
  const accept = createHash("sha1").update(`${handshakeKey}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  const own = ["Connection: Upgrade", "Upgrade: websocket", `Sec-WebSocket-Accept: ${accept}`];
  return `HTTP/1.1 101 Switching Protocols\r\n${[...own, ...lines].join("\r\n")}\r\n\r\n`;
}
