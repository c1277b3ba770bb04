import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import path from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { cert, key } from "../../support/certificates.ts";
import { ask } from "../../support/exchanges.ts";
import { alpnTransport, h2cTransport } from "../../support/http2-transports.ts";
import { hasProgram, type ServerProgram, startProgram } from "../../support/server-programs.ts";

const large = 5_000_000;

/** nginx over HTTP/2, with a backend of node:http for what it does not serve itself. */
async function nginx({ tls = false, requests = 1_000 } = {}): Promise<ServerProgram> {
  return startProgram("nginx", (folder, socketPath) => {
    const backend = path.join(folder, "backend.sock");
    const server = createServer((req, res) => {
      if (req.url === "/die") {
        res.writeHead(200);
        res.write("half");
        setImmediate(() => res.destroy());
        return;
      }
      // nginx does not read a response while it sends the request: an echo on the way would wait for it, and it for the echo.
      const chunks: Buffer[] = [];
      req.on("data", (chunk: Buffer) => chunks.push(chunk));
      req.on("end", () => res.end(Buffer.concat(chunks)));
    }).listen(backend);
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    mkdirSync(path.join(folder, "html"));
    writeFileSync(path.join(folder, "html", "large"), Buffer.alloc(large, "nginx "));
    writeFileSync(path.join(folder, "cert.pem"), cert);
    writeFileSync(path.join(folder, "key.pem"), key);
    return `
      user root; daemon off; pid nginx.pid; error_log stderr crit;
      worker_processes 1; events { worker_connections 200; }
      http {
        access_log off; client_max_body_size 1m;
        client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
        server {
          listen unix:${socketPath} ${tls ? "ssl " : ""}http2;
          ssl_certificate cert.pem; ssl_certificate_key key.pem;
          keepalive_requests ${requests};
          root html;
          location = /fine { return 200 "fine"; }
          location / { try_files $uri @backend; }
          location @backend { proxy_pass http://unix:${backend}:; proxy_http_version 1.1; proxy_buffering off; }
        }
      }`;
  });
}

const socketOf = ({ socketPath }: ServerProgram) => ({ address: { socketPath } });

describe.skipIf(!hasProgram("nginx"))("nginx", () => {
  test.each([false, true])("serves all kinds of requests and bodies over one connection, TLS: %s", async (tls) => {
    const server = await nginx({ tls });
    const transport = tls ? alpnTransport(0, socketOf(server)) : h2cTransport(0, socketOf(server));
    const exchanges = [
      ask(transport, "/fine"),
      ask(transport, "/large"),
      ask(transport, "/large", { method: "HEAD" }),
      ask(transport, "/echo", { method: "PUT", body: Buffer.alloc(700_000, "a") }),
      ask(transport, "/echo", { method: "POST", body: ["he", "llo"], bodyLength: -1 }),
      ask(transport, "/missing", { headers: ["Host", "a", "X-Name", "J\xfcrgen"] }),
    ];
    for (const exchange of exchanges) {
      const { failure } = await exchange.ended();
      expect(failure).toBeUndefined();
    }
    expect(exchanges.map(({ bytes }) => bytes.length)).toEqual([4, large, 0, 700_000, 5, 0]);
    expect(exchanges.filter(({ connectMs }) => connectMs !== undefined)).toHaveLength(1);
  });

  test("closes each connection after a number of requests, and none is lost", async () => {
    const transport = h2cTransport(0, socketOf(await nginx({ requests: 10 })));
    let connections = 0;
    for (let round = 0; round < 60; round++) {
      const exchanges = Array.from({ length: 7 }, () => ask(transport, "/echo", { method: "POST", body: "hello" }));
      for (const exchange of exchanges) {
        await exchange.ended();
        if (exchange.connectMs !== undefined) connections++;
        // What nginx did not process it has said so of, and the request may be sent again.
        if (exchange.phase === "failed") expect(exchange.failure).toMatchObject({ code: "reset", sent: false });
        else expect(exchange.body).toBe("hello");
      }
    }
    expect(connections).toBeGreaterThan(20);
  });

  test("is reloaded under load, and no request is lost", async () => {
    const server = await nginx();
    const transport = h2cTransport(0, socketOf(server));
    for (let round = 0; round < 60; round++) {
      if (round % 10 === 5) server.process.kill("SIGHUP");
      const exchanges = Array.from({ length: 10 }, () => ask(transport, "/fine"));
      for (const exchange of exchanges) {
        await exchange.ended();
        if (exchange.phase === "failed") expect(exchange.failure).toMatchObject({ code: "reset", sent: false });
      }
    }
    expect(await ask(transport, "/fine").ended()).toMatchObject({ phase: "complete", body: "fine" });
  });

  test("responds to a body that is too large before it has read it", async () => {
    const transport = h2cTransport(0, socketOf(await nginx()));
    for (let count = 0; count < 5; count++) {
      const exchange = ask(transport, "/echo", { method: "POST", body: Buffer.alloc(3_000_000) });
      expect(await exchange.ended()).toMatchObject({ phase: "complete", status: 413 });
    }
  });

  test("breaks off when its backend breaks off, which never looks complete", async () => {
    const transport = h2cTransport(0, socketOf(await nginx()));
    for (let count = 0; count < 5; count++) {
      expect((await ask(transport, "/die").ended()).failure?.code).toBe("response_truncated");
    }
  });

  test("is killed within a body", async () => {
    const server = await nginx();
    const transport = h2cTransport(0, socketOf(server));
    const exchange = ask(transport, "/large", { onData: () => false });
    await exchange.until(() => exchange.bytes.length > 100_000);
    server.process.kill("SIGINT");
    expect((await exchange.ended()).failure?.code).toBe("response_truncated");
    await server.ended;
    expect((await ask(transport, "/fine").ended()).failure).toMatchObject({ sent: false });
  });

  test("stops gracefully after the requests in flight", async () => {
    const server = await nginx();
    const transport = h2cTransport(0, socketOf(server));
    const exchange = ask(transport, "/large", { onData: () => false });
    await exchange.until(() => exchange.bytes.length > 100_000);
    server.process.kill("SIGQUIT");
    while (!exchange.over) {
      const { length } = exchange.bytes;
      exchange.exchange.resume();
      await exchange.until(() => exchange.over || exchange.bytes.length > length);
    }
    expect(exchange).toMatchObject({ phase: "complete", bytes: { length: large } });
  });
});
