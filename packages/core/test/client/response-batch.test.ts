import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { ResponseBatch } from "../../src/client/node/response-batch.ts";
import { StrictClient } from "../support/raw-client.ts";
import type { StrictResponse } from "../support/strict-http.ts";

/** 8-bit bytes go out as they are. */
const body = "gr\xfc\xdf dich\n";
const sized = { "content-length": body.length };
const get = Buffer.from("GET / HTTP/1.1\r\nHost: h\r\n\r\n");

const departures = new ResponseBatch();

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** The sockets' own writes, counted. */
interface Writes {
  single: number;
  vectored: number;
}

async function serve(listener: RequestListener): Promise<{ client: StrictClient; writes: Writes }> {
  const writes: Writes = { single: 0, vectored: 0 };
  server = createServer(listener).on("connection", (socket) => count(socket, writes));
  await once(server.listen(0, "127.0.0.1"), "listening");
  return { client: await StrictClient.to((server.address() as AddressInfo).port), writes };
}

function count(socket: Socket, writes: Writes): void {
  const { _write, _writev } = socket;
  socket._write = (...args) => {
    writes.single++;
    _write.apply(socket, args);
  };
  socket._writev = (...args) => {
    writes.vectored++;
    _writev?.apply(socket, args);
  };
}

async function answers(client: StrictClient, count: number): Promise<readonly StrictResponse[]> {
  const complete = () => client.read([]).responses.filter((response) => response.complete);
  await client.when(() => complete().length >= count, 5_000);
  return complete();
}

describe("a body that is all there is", () => {
  test("goes out with its head in one write", async () => {
    const { client, writes } = await serve((_req, res) => {
      res.writeHead(200, sized);
      departures.end(res, body);
    });
    for (let request = 1; request <= 3; request++) {
      await client.send(get, "one packet");
      const responses = await answers(client, request);
      expect(responses.at(-1)?.body.toString("latin1")).toBe(body);
      expect(writes).toEqual({ single: request, vectored: 0 });
    }
  });

  test("lets the response finish, and the next request on the connection come", async () => {
    let finished = 0;
    const { client } = await serve((_req, res) => {
      res.on("finish", () => finished++);
      res.writeHead(200, sized);
      departures.end(res, body);
    });
    await client.send(get, "one packet");
    await answers(client, 1);
    await client.send(get, "one packet");
    await answers(client, 2);
    expect(finished).toBeGreaterThanOrEqual(1);
  });

  test("is followed by its last chunk where its length was not told", async () => {
    const { client } = await serve((_req, res) => {
      res.writeHead(200);
      departures.end(res, body);
    });
    await client.send(get, "one packet");
    const [response] = await answers(client, 1);
    expect(response).toMatchObject({ complete: true, untilClose: false });
    expect(response?.body.toString("latin1")).toBe(body);
  });

  test("is given to an app's own end, which may have to see it", async () => {
    const seen: unknown[] = [];
    const { client } = await serve((_req, res) => {
      const end = res.end.bind(res);
      res.end = ((chunk: string, encoding: BufferEncoding) => {
        seen.push(chunk);
        return end(chunk, encoding);
      }) as typeof res.end;
      res.writeHead(200, sized);
      departures.end(res, body);
    });
    await client.send(get, "one packet");
    const [response] = await answers(client, 1);
    expect(response?.body.toString("latin1")).toBe(body);
    expect(seen).toEqual([body]);
  });

  test("keeps its place among pipelined answers", async () => {
    const waiting: (() => void)[] = [];
    const { client } = await serve((req, res) => {
      const answer = `${req.url}`;
      waiting.push(() => {
        res.writeHead(200, { "content-length": answer.length });
        departures.end(res, answer);
      });
      if (waiting.length === 3) for (const give of waiting.reverse()) give();
    });
    await client.send(
      Buffer.from(["/a", "/b", "/c"].map((path) => `GET ${path} HTTP/1.1\r\nHost: h\r\n\r\n`).join("")),
      "one packet",
    );
    const responses = await answers(client, 3);
    expect(responses.map((response) => response.body.toString())).toEqual(["/a", "/b", "/c"]);
  });

  test("comes behind what is still being written, and before the end of the connection", async () => {
    const much = Buffer.alloc(8 * 1_024 * 1_024, "x");
    const { client } = await serve((_req, res) => {
      res.writeHead(200, { "content-length": much.length + body.length, connection: "close" });
      res.write(much);
      departures.end(res, body);
    });
    await client.send(get, "one packet");
    const [response] = await answers(client, 1);
    expect(response?.body.length).toBe(much.length + body.length);
    expect(response?.body.subarray(-body.length).toString("latin1")).toBe(body);
    await client.when(() => client.how !== undefined, 5_000);
    expect(client.how).toBe("end");
  });
});
