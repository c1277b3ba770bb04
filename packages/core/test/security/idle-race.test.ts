import { expect, test } from "vitest";
import { until } from "../support/event-loop.ts";
import { coreLayer } from "../support/layers.ts";
import { StrictClient } from "../support/raw-client.ts";
import { answerTag, recordingUpstream, type SeenRequest } from "../support/recording-upstream.ts";
import { seededRandom } from "../support/seeded-random.ts";

/**
 * D10: an upstream closes what it keeps alive in the very moment in which the next request is on its way. The request is
 * sent again over a fresh connection; a POST never is, since nobody knows whether it was executed.
 */
test.each(["GET", "HEAD", "PUT", "DELETE"])("%s never fails for an idle connection that closes", async (method) => {
  const random = seededRandom(7);
  const upstream = await recordingUpstream({
    onRequest: (socket, request: SeenRequest) => {
      answerTag(socket, request);
      const turns = Math.floor(random() * 6);
      const close = (left: number): void => {
        if (left > 0) setImmediate(close, left - 1);
        else if (random() < 0.5) socket.end();
        else socket.resetAndDestroy();
      };
      if (random() < 0.7) close(turns);
    },
  });
  const serving = await coreLayer({ upstreams: [upstream.url] });
  const client = await StrictClient.to(serving.port);
  for (let index = 0; index < 500; index++) {
    client.socket.write(`${method} /case/${index} HTTP/1.1\r\nHost: h\r\n\r\n`);
    const methods = Array.from({ length: index + 1 }, () => method);
    const answered = () => client.read(methods).responses.filter(({ complete }) => complete).length === index + 1;
    expect(await client.when(answered, 4_000), client.text.slice(-500)).toBe(true);
    expect(client.read(methods).responses.at(-1)?.status).toBe(200);
    expect(client.text).toMatch(new RegExp(`X-Tag: /case/${index}\\r\\n[^]*$`));
  }
  client.socket.destroy();
  await until(() => serving.leftovers().length === 0);
  await serving.close();
  expect(upstream.violations).toEqual([]);
});

test("POST is never executed twice", async () => {
  const random = seededRandom(11);
  const upstream = await recordingUpstream({
    onRequest: (socket, request) => {
      if (random() < 0.2) return void socket.resetAndDestroy();
      answerTag(socket, request);
      if (random() < 0.5) setImmediate(() => socket.end());
    },
  });
  const serving = await coreLayer({ upstreams: [upstream.url] });
  for (let index = 0; index < 300; index++) {
    const client = await StrictClient.to(serving.port);
    client.socket.write(`POST /case/${index} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok`);
    await client.when(() => client.how !== undefined, 4_000);
    expect([200, 502]).toContain(client.read([]).responses[0]?.status);
    client.socket.destroy();
  }
  const targets = upstream.requests.map(({ target }) => target);
  expect(new Set(targets).size).toBe(targets.length);
  await serving.close();
});
