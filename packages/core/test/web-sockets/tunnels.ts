import { createHash } from "node:crypto";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import type { Duplex } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import { onTestFinished } from "vitest";
import { cert, key } from "../support/certificates.ts";
import { serve } from "../support/serve.ts";
import { startProxy } from "../support/start-proxy.ts";
import { handshake } from "../support/web-sockets.ts";

/** Opens WebSockets at a server. */
export interface Front {
  /** Resolves with the bytes behind the handshake, in both directions. */
  open(path?: string): Promise<Duplex>;
}

/** The ways to an upstream: each is a server in front of it, and a protocol. */
export const fronts: Readonly<Record<string, (upstream: string) => Promise<Front>>> = {
  "node:http": async (upstream) => overHttp1((await startProxy({ upstreams: [upstream] })).port),
  "own server, HTTP/1.1": async (upstream) => overHttp1((await serve({ upstreams: [upstream] })).port),
  "own server, TLS": async (upstream) => overHttp1((await serve({ upstreams: [upstream] }, secure)).port, true),
  "own server, HTTP/2": async (upstream) => overHttp2((await serve({ upstreams: [upstream] }, { h2c: true })).url),
  "own server, HTTP/2 over TLS": async (upstream) => overHttp2((await serve({ upstreams: [upstream] }, secure)).url),
};

const secure = { tls: { cert, key } };

export function overHttp1(port: number, tls = false): Front {
  return {
    open: async (path = "/") => {
      const target = { port, host: "127.0.0.1", allowHalfOpen: true };
      const socket = tls ? connectTls({ ...target, rejectUnauthorized: false }) : connect(target);
      onTestFinished(() => void socket.destroy());
      socket.on("error", () => {});
      socket.setNoDelay(true);
      socket.write(handshake(path));
      return behindHead(socket);
    },
  };
}

/** Resolves when a head has been read; what follows it stays in the socket. */
function behindHead(socket: Duplex): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    let bytes = Buffer.alloc(0);
    socket.once("close", () => reject(new Error(`closed after ${bytes}`)));
    const onData = (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      const end = bytes.indexOf("\r\n\r\n");
      if (end === -1) return;
      socket.off("data", onData).pause();
      if (!bytes.toString("latin1").startsWith("HTTP/1.1 101 ")) return reject(new Error(`refused by ${bytes}`));
      if (bytes.length > end + 4) socket.unshift(bytes.subarray(end + 4));
      resolve(socket);
    };
    socket.on("data", onData);
  });
}

function overHttp2(url: string): Front {
  let session: Promise<ClientHttp2Session> | undefined;
  return {
    open: async (path = "/") => {
      session ??= openSession(url);
      const stream = (await session).request({
        ":method": "CONNECT",
        ":protocol": "websocket",
        ":path": path,
        "sec-websocket-version": "13",
      });
      stream.on("error", () => {});
      return new Promise((resolve, reject) => {
        stream.once("close", () => reject(new Error(`closed with ${stream.rstCode}`)));
        stream.once("response", (head) => {
          if (head[":status"] === 200) resolve(stream);
          else reject(new Error(`refused by ${head[":status"]}`));
        });
      });
    },
  };
}

/** A connection whose settings have come: they say whether a WebSocket may be opened (RFC 8441 section 3). */
async function openSession(url: string): Promise<ClientHttp2Session> {
  const session = connectHttp2(url, { rejectUnauthorized: false });
  onTestFinished(async () => {
    // Within a callback of nghttp2, where a test may end, this never returns in Node 20.
    await nextTurn();
    session.destroy();
  });
  session.on("error", () => {});
  await new Promise((resolve) => void session.once("remoteSettings", resolve));
  if (session.remoteSettings.enableConnectProtocol !== true) throw new Error("extended CONNECT is not offered");
  return session;
}

/** The response of a server to a handshake with this key. */
export function accepting(handshakeKey: string): string {
  const accept = createHash("sha1").update(`${handshakeKey}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  const lines = ["Connection: Upgrade", "Upgrade: websocket", `Sec-WebSocket-Accept: ${accept}`];
  return `HTTP/1.1 101 Switching Protocols\r\n${lines.join("\r\n")}\r\n\r\n`;
}
