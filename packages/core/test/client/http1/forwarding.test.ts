import { describe, expect, onTestFinished, test } from "vitest";
import { createProxy } from "../../../src/proxy.ts";
import { ownServer } from "../../support/own-server.ts";
import { StrictClient } from "../../support/raw-client.ts";
import { recordingUpstream } from "../../support/recording-upstream.ts";

/** A proxy behind a server of our own, with one upstream. */
async function serve() {
  const upstream = await recordingUpstream();
  const proxy = createProxy({ upstreams: [upstream.url] });
  const { port, close } = await ownServer(proxy.requests);
  onTestFinished(async () => {
    await proxy.close({ timeout: "0ms" });
    close();
  });
  const client = await StrictClient.to(port);
  onTestFinished(() => void client.socket.destroy());
  return { client, upstream };
}

describe("a request to a server of our own", () => {
  test.each([
    ["without a body", "GET /one HTTP/1.1\r\nHost: h\r\n\r\n", ""],
    ["with a length", "POST /one HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", "hello"],
    [
      "in chunks",
      "POST /one HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
      "hello",
    ],
  ])("%s is forwarded, and the next one on its connection as well", async (_, bytes, body) => {
    const { client, upstream } = await serve();
    for (const count of [1, 2, 3]) {
      client.socket.write(bytes);
      await client.when(() => client.read([]).responses.length === count, 5_000);
    }
    const { responses, violation } = client.read([]);
    expect(violation).toBeUndefined();
    expect(responses.map((response) => [response.status, response.body.toString()])).toEqual([
      [200, "/one"],
      [200, "/one"],
      [200, "/one"],
    ]);
    expect(upstream.requests.map((request) => request.body.toString())).toEqual([body, body, body]);
    expect(client.how).toBeUndefined();
  });
});
