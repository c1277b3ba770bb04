import { once } from "node:events";
import { type ClientHttp2Session, connect } from "node:http2";
import { onTestFinished } from "vitest";
import type { ReceivedResponse } from "./http.ts";

/** Opens a connection that accepts any certificate. It is destroyed after the test. */
export async function openSession(url: string): Promise<ClientHttp2Session> {
  const session = connect(url, { rejectUnauthorized: false });
  onTestFinished(() => session.destroy());
  session.on("error", () => {});
  await once(session, "connect");
  return session;
}

/** Sends a request and resolves with the complete response. Rejects if the stream is reset before its end. */
export function requestOver(session: ClientHttp2Session, path = "/"): Promise<ReceivedResponse> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ":path": path });
    let status = 0;
    let text = "";
    stream.setEncoding("utf8");
    stream.on("response", (headers) => {
      status = headers[":status"] ?? 0;
    });
    stream.on("data", (chunk: string) => {
      text += chunk;
    });
    stream.once("error", reject);
    stream.once("end", () => resolve({ status, headers: {}, text }));
    stream.once("close", () => reject(new Error(`the stream was closed with ${stream.rstCode}`)));
  });
}
